"""Checks block selection on a GPU: python3 test/kernels/attention_selection_test.py LIBRARY [--only TEXT]

Stage 1 is held against the oracle entry by entry: a mass may be off by a step of bf16.
Stage 2 gets the masses that the GPU found, so that its lists must be the oracle's; a block may
differ only where its mass lies at the cut, for the last bit of an exponential decides there.
"""

import math
from contextlib import nullcontext

import torch

from attention_kernels import KV_BLOCK_TOKENS
from attention_selection_kernels import (
    BLOCK_KEYS,
    BOTH,
    COLUMNS,
    STRIPS,
    TILE_ROWS,
    TILES,
    Lists,
    Selector,
    Settings,
    blocks_of,
    pooled_cache,
    sampled_rows,
    tiles_of,
)
from attention_testing import check_refused, check_same_bits, in_pool
from suite_runner import main, run_suites

# q_len, kv_len, heads, kv heads, dim: lengths around tiles, groups of 6, 7, 1, 4, 8, offsets.
SHAPES = [
    (1024, 1024, 12, 2, 128),
    (1000, 3048, 14, 2, 64),
    (640, 4736, 8, 8, 128),
    (135, 2055, 8, 2, 128),
    (129, 1281, 8, 1, 64),
    (127, 3967, 12, 2, 128),
    (7, 2567, 12, 2, 128),
    (1920, 1920, 9, 3, 64),
    (2500, 2500, 4, 1, 128),
]
VARIANTS = [(16, 8), (8, 4), (32, 16), (8, 1), (16, 4), (16, 1), (8, 16)]  # sampled rows, averaged keys
FLIP = 0.04  # masses this close to the cut, relatively: 1.6% of a bin and a step of bf16


def make(q_len, kv_len, heads, kv_heads, dim, seed=0, scale=4.0):
    """Queries and keys; a few keys of each head stand out, as they do in text."""
    generator = torch.Generator("cuda").manual_seed(seed)
    draw = lambda *shape: torch.randn(*shape, generator=generator, device="cuda")
    key = draw(kv_len, kv_heads, dim)
    drift = draw(math.ceil(kv_len / 64), kv_heads, dim).repeat_interleave(64, 0)[:kv_len]
    return (draw(q_len, heads, dim) * scale / 2).bfloat16(), (key + drift).bfloat16()


class Selectors:
    """Makes selectors of one library and one kind of kernels."""

    def __init__(self, path, portable):
        self._path, self._portable = path, portable

    def __call__(self, **settings):
        return Selector(self._path, Settings(**settings), self._portable)


def lists_for(query, kv_len):
    max_blocks = math.ceil(blocks_of(kv_len) / 8) * 8
    return Lists(query.shape[1], tiles_of(query.shape[0]), max_blocks, "cuda")


def select(selector, query, key, kv_len=None, pooled=None, **overrides):
    """Lists of one call, and the masses that it left in the workspace."""
    kv_len = kv_len or key.shape[0]
    if pooled is None:
        pool_blocks = math.ceil(key.shape[0] / KV_BLOCK_TOKENS)
        pooled_keys = selector.settings.pooled_keys
        pooled = pooled_cache(pool_blocks, key.shape[1], key.shape[2], pooled_keys)
        overrides.setdefault("pool_from", 0)
    workspace = selector.workspace(query.shape, key.shape[1], kv_len)
    lists = lists_for(query, kv_len)
    selector.run(query, key, pooled, kv_len, workspace, lists, BOTH, **overrides)
    torch.cuda.synchronize()
    beyond = torch.arange(lists.blocks.shape[2], device="cuda") >= lists.counts[:, :, None]
    assert (lists.blocks[beyond] == -1).all(), "wrote behind a list"
    return lists, selector.masses(workspace, query.shape, kv_len)


def check_masses(ours, expected, query, key, settings, slack):
    """`expected` are those of the rows that exist."""
    rows = sampled_rows(settings, query.shape[0])
    exists = rows < query.shape[0]
    ours = ours[:, exists.to(ours.device), : expected.shape[2]].float().cpu()
    positions = key.shape[0] - query.shape[0] + rows[exists]
    averages = (positions + 1) // settings.pooled_keys
    seen = -(-averages * settings.pooled_keys // BLOCK_KEYS)
    blocks = torch.arange(expected.shape[2])
    visible = blocks < seen[:, None]
    tiny = 2.0**-120  # smaller masses may vanish
    right = ((ours - expected).abs() <= expected * slack + tiny) | (ours == expected)
    wrong = visible & ~right
    if wrong.any():
        head, row, block = wrong.nonzero()[0].tolist()
        raise AssertionError(
            f"{int(wrong.sum())} of {int(visible.sum()) * len(ours)} masses are off, the first in head {head}, "
            f"row {row}, block {block}: {ours[head, row, block]}, not {expected[head, row, block]}"
        )
    if settings.strategy != TILES:
        return
    # Blocks that a row does not see, but a later row of its tile does.
    count, of_tile = expected.shape[1], settings.tiles.sampled_rows
    last_of_tile = torch.clamp((torch.arange(count) // of_tile + 1) * of_tile, max=count) - 1
    hidden = ~visible & (blocks < seen[last_of_tile][:, None])
    assert (ours[:, hidden] == 0).all(), "a hidden block has mass"


def check_lists(ours, expected, masses, what):
    """`masses` are the oracle's; only blocks at the cut may differ."""
    ours, expected = ours.mask(), expected.mask()
    masses = masses.double()
    kept = torch.where(expected & (masses > 0), masses, math.inf)
    differs = ours != expected
    if not differs.any():
        return
    # The cut lies at the lightest candidate that was kept or the heaviest that was not.
    for head, tile in differs.any(2).nonzero().tolist():
        blocks = differs[head, tile].nonzero().flatten()
        at = masses[head, tile, blocks]
        spread = at.max() - at.min()
        assert len(blocks) <= 8 and spread <= FLIP * at.max() + 64, (
            f"{what}: head {head}, tile {tile}: blocks {blocks.tolist()} differ, masses {at.tolist()}; "
            f"lightest kept {kept[head, tile].min().item()}"
        )
    share = differs.any(2).double().mean().item()
    assert share < 0.05, f"{what}: {share:.1%} of the lists differ"


BF16_STEP = 2.0**-7 * 1.02


def check_against_oracle(selector, query, key, what, check=check_lists, slack=BF16_STEP):
    lists, row_masses = select(selector, query, key)
    if row_masses.numel():
        expected = selector.oracle_masses(query.float().cpu(), key.float().cpu())
        check_masses(row_masses, expected, query, key, selector.settings, slack)
    on_cpu = row_masses.float().cpu()
    oracle, masses = selector.oracle_filter(on_cpu, query.shape, key.shape[1], key.shape[0])
    check(lists, oracle, masses, what)
    return lists


def test_agrees_with_oracle(selectors):
    for i, shape in enumerate(SHAPES):
        rows, pooled_keys = VARIANTS[i % len(VARIANTS)]
        selector = selectors(sampled_rows=rows, pooled_keys=pooled_keys, window_tokens=256)
        query, key = make(*shape, seed=i)
        check_against_oracle(selector, query, key, f"{shape}, {rows} rows, {pooled_keys} keys")
        selector.close()


def check_strips(ours, expected, masses, what):
    """A strip at the cut may differ: then whole columns or slashes do, in few heads."""
    differs = (ours.mask() != expected.mask()).flatten(1).any(1)
    assert differs.double().mean() <= 0.25, f"{what}: lists of heads {differs.nonzero().flatten()}"


def test_strips_agree_with_oracle(selectors):
    for strategy in (STRIPS, COLUMNS):
        exact = 0
        for i, shape in enumerate(SHAPES):
            selector = selectors(
                strategy=strategy,
                pooled_keys=(8, 4, 16, 1)[i % 4],
                segment_tokens=(256, 512, 1024)[i % 3],
                row_step=(20, 7, 16)[i % 3],
                window_share=0.04,
                window_tokens=128,
                alpha=0.5,
                alpha_slashes=0.4,
            )
            query, key = make(*shape, seed=i)
            lists = check_against_oracle(
                selector, query, key, f"strategy {strategy}, {shape}", check_strips
            )
            if shape[0] > 500:
                share = lists.mask().double().mean().item()
                assert 0.02 < share < 0.95, f"{shape}: {share:.2f} of the blocks are kept"
            selector.close()


def test_strips_keep_what_they_must(selectors):
    query, key = make(1024, 4096, 12, 2, 128)
    for strategy in (STRIPS, COLUMNS):
        selector = selectors(strategy=strategy, alpha=0.3, alpha_slashes=0.3)
        clean = select(selector, query, key, dense_from=4000)[0].mask()
        for tile in range(8):
            end = (3072 + 128 * (tile + 1)) // 64
            assert clean[:, tile, 0].all() and clean[:, tile, end - 10 : end].all()
            assert not clean[:, tile, end:].any()
        assert clean[:, 7].all(), "dense rows"
        again = select(selector, query, key, dense_from=4000)[0].mask()
        assert (again == clean).all(), "another run"
        broken = key.clone()
        broken[3500, 1, 5] = math.nan
        mask = select(selector, query, broken, dense_from=4000)[0].mask()
        assert (mask[:6] == clean[:6]).all() and mask[6:, 0, :50].all(), "NaN"
        alphas = torch.full((12,), 0.3, device="cuda")
        alphas[3] = 1.0
        mask = select(selector, query, key, dense_from=4000, head_alpha=alphas)[0].mask()
        assert mask[3, 0, :50].all() and (mask[4:, 0] == clean[4:, 0]).float().mean() > 0.5
        selector.close()


def test_settings(selectors):
    """Every setting of stage 2, against the oracle."""
    query, key = make(768, 4864, 6, 2, 128)
    head_alpha = torch.tensor([0.3, 1.0, 0.95, 0.0, 0.6, 0.8])
    for settings in (
        {"alpha": 0.3},
        {"alpha": 0.95},
        {"alpha": 0.95, "count_forced_mass": True},
        {"alpha": 0.9, "score": 1},
        {"alpha": 0.0},
        {"alpha": 1.0},
        {"sink_blocks": 0, "window_tokens": 0},
        {"sink_blocks": 3, "window_tokens": 1000},
        {"alpha": 0.1, "min_blocks": 30},
        {"alpha": 0.99, "max_blocks": 25},
        {"max_blocks": 1},
        {"min_blocks": 5000},
        {"dense_above": 0.4},
    ):
        for alphas in (None, head_alpha):
            selector = selectors(**settings)
            on_gpu = {} if alphas is None else {"head_alpha": alphas.cuda()}
            lists, row_masses = select(selector, query, key, dense_from=4700, **on_gpu)
            oracle, masses = selector.oracle_filter(
                row_masses.float().cpu(), query.shape, 2, 4864, 4700, alphas
            )
            check_lists(lists, oracle, masses, f"{settings}, alphas {alphas is not None}")
            selector.close()


def test_density_is_plausible(selectors):
    """Guards against tests that pass because everything is kept."""
    query, key = make(1024, 8192, 12, 2, 128)
    selector = selectors(alpha=0.5, window_tokens=256)
    mask = select(selector, query, key)[0].mask()
    selector.close()
    share = mask.double().mean().item()
    assert 0.06 < share < 0.6, f"{share:.3f} of the blocks are kept"


def test_chunks_do_not_matter(selectors):
    for i, (rows, pooled_keys) in enumerate(VARIANTS):
        kv_len, heads, kv_heads, dim = 5003, (12, 14)[i % 2], 2, (128, 64)[i % 2]
        query, key = make(kv_len, kv_len, heads, kv_heads, dim, seed=i)
        selector = selectors(sampled_rows=rows, pooled_keys=pooled_keys, window_tokens=128)
        whole = select(selector, query, key)[0].mask()
        pool, _, table = in_pool(key, key)
        pooled = pooled_cache(pool.shape[0] // KV_BLOCK_TOKENS, kv_heads, dim, pooled_keys)
        for first, end in ((0, 1280), (1280, 1408), (1408, 3968), (3968, 5003)):
            chunk = query[first:end].contiguous()
            lists = select(selector, chunk, pool, end, pooled, block_table=table)[0].mask()
            expected = whole[:, first // TILE_ROWS : math.ceil(end / TILE_ROWS), : lists.shape[2]]
            assert (lists == expected).all(), f"{rows} rows, {pooled_keys} keys, chunk {first} to {end}"
        selector.close()


def test_long_contexts_in_chunks(selectors):
    """More tiles of keys than one block of the grid goes through, at another offset each time."""
    kv_len = 33000
    query, key = make(kv_len, kv_len, 6, 1, 128)
    selector = selectors()
    whole, workspace = select(selector, query, key)
    whole = whole.mask()
    pooled = pooled_cache(math.ceil(kv_len / KV_BLOCK_TOKENS), 1, 128, 8)
    for first in range(0, kv_len, 8192):
        end = min(first + 8192, kv_len)
        chunk = query[first:end].contiguous()
        lists = select(selector, chunk, key, end, pooled)[0].mask()
        tiles = slice(first // TILE_ROWS, math.ceil(end / TILE_ROWS))
        assert (lists == whole[:, tiles, : lists.shape[2]]).all(), f"chunk at {first}"
    # The last row of all against every block, by torch.
    last = kv_len // 8 - 1
    averages = key[: kv_len // 8 * 8].view(-1, 8, 1, 128).float().mean(1).bfloat16()[:, 0].double()
    for head in range(6):
        scores = query[8 * last + 7, head].double() @ averages.T
        scores = torch.nn.functional.pad(scores, (0, -len(scores) % 8), value=-math.inf)
        shares = (scores / math.sqrt(128)).softmax(0).view(-1, 8).sum(1)
        ours = workspace[head, last, : len(shares)].double()
        difference = (ours / ours.sum() - shares).abs() / shares
        assert difference.max() < 2 * BF16_STEP, f"head {head}: {difference.max().item()}"
    selector.close()


def test_what_comes_later_does_not_matter(selectors):
    query, key = make(2500, 2500, 12, 2, 128)
    selector = selectors(window_tokens=128)
    before = select(selector, query, key)[0].mask()
    for tile in (4, 9, 18):
        first = tile * TILE_ROWS
        changed_query, changed_key = query.clone(), key.clone()
        changed_query[first:], changed_key[first:] = math.nan, math.nan
        after = select(selector, changed_query, changed_key)[0].mask()
        assert (after[:, :tile] == before[:, :tile]).all(), f"tile {tile} reaches back"
        shorter = select(selector, query[: first + 5].contiguous(), key[: first + 5].contiguous())
        shorter = shorter[0].mask()
        assert (shorter[:, :tile] == before[:, :tile, : shorter.shape[2]]).all(), "length"
    selector.close()


def test_pool_gives_the_same_lists(selectors):
    query, key = make(1300, 3988, 14, 2, 64)
    selector = selectors()
    expected, workspace = select(selector, query, key)
    pool, _, table = in_pool(key, key)
    lists, paged = select(selector, query, pool, 3988, block_table=table)
    assert (lists.mask() == expected.mask()).all()
    rows = 1300 // 8
    seen = blocks_of(3988 - 1300 + 8)
    check_same_bits(
        paged[:, :rows, :seen].contiguous(), workspace[:, :rows, :seen].contiguous(), "masses"
    )
    selector.close()


def test_nothing_behind_the_keys_is_read(selectors):
    """Keys themselves, contiguous: memory ends where they do; in a pool, NaN follows."""
    query, key = make(520, 1800, 12, 2, 128)
    selector = selectors(pooled_keys=1, window_tokens=128)
    whole = select(selector, query, key)[0].mask()
    longer = torch.cat([key, torch.full_like(key, math.nan)])
    assert (select(selector, query, longer, 1800)[0].mask() == whole).all()
    pool, _, table = in_pool(key, key)
    lists = select(selector, query, pool, 1800, key[:0], block_table=table)[0]
    assert (lists.mask() == whole).all()
    selector.close()


def test_averages_are_kept(selectors):
    """A later chunk reads no key of an earlier one, unless told that its averages are missing."""
    query, key = make(2560, 2560, 12, 2, 128)
    selector = selectors()
    whole = select(selector, query, key)[0].mask()[:, 10:]
    pooled = pooled_cache(4, 2, 128, 8)
    select(selector, query[:1280].contiguous(), key[:1280].contiguous(), 1280, pooled)
    late = query[1280:].contiguous()
    forgotten = key.clone()
    forgotten[:1280] = math.nan
    assert (select(selector, late, forgotten, 2560, pooled)[0].mask() == whole).all()
    pooled[80:] = math.nan
    again = select(selector, late, key, 2560, pooled, pool_from=640)[0].mask()
    assert (again == whole).all(), "pool_from"
    selector.close()


def test_same_lists_every_time(selectors):
    query, key = make(2048, 16384, 12, 2, 128)
    selector = selectors()
    first, workspace = select(selector, query, key)
    for i in range(10):
        lists, again = select(selector, query, key)
        assert (lists.blocks == first.blocks).all() and (lists.counts == first.counts).all()
        seen = blocks_of(16384 - 2048)
        check_same_bits(
            again[:, :, :seen].contiguous(), workspace[:, :, :seen].contiguous(), f"run {i + 2}"
        )
    selector.close()


def test_equal_scores(selectors):
    """Queries of zeros: the first blocks, by number, up to alpha."""
    _, key = make(256, 4096, 4, 1, 64)
    query = torch.zeros(256, 4, 64, device="cuda", dtype=torch.bfloat16)
    selector = selectors(alpha=0.24, window_tokens=256)
    mask = select(selector, query, key)[0].mask()
    candidates = (4096 - 128 - 256) // 64 - 1
    kept = math.ceil(0.24 * candidates)
    expected = torch.zeros(64, dtype=torch.bool)
    expected[: 1 + kept] = True
    expected[(4096 - 128 - 256) // 64 :] = True
    assert (mask[:, 1] == expected).all(), mask[0, 1].nonzero().flatten().tolist()
    selector.close()


def test_one_block_holds_everything(selectors):
    for dim in (64, 128):
        query = torch.ones(256, 4, dim, device="cuda", dtype=torch.bfloat16)
        for block in (1, 17, 40, 57):
            key = torch.zeros(4096, 2, dim, device="cuda", dtype=torch.bfloat16)
            key[block * 64 + 16 : block * 64 + 32] = 8
            selector = selectors(alpha=0.9, window_tokens=128)
            mask = select(selector, query, key)[0].mask()[:, 1]
            selector.close()
            expected = torch.zeros(64, dtype=torch.bool)
            expected[[0, block]] = True
            expected[(4096 - 128 - 128) // 64 :] = True
            assert (mask == expected).all(), mask[0].nonzero().flatten().tolist()


def test_large_scores(selectors):
    """What sums of hundreds lose in fp32 is magnified by the exponential."""
    query, key = make(512, 4096, 12, 2, 128)
    selector = selectors(alpha=0.5, window_tokens=128)
    check_against_oracle(selector, query * 10, key, "scale 10", slack=2 * BF16_STEP)
    # Masses beyond fp32 have no order: their tiles keep everything.
    lists, row_masses = select(selector, query * 40, key)
    beyond = ~(row_masses[:, :, : blocks_of(3584)].float().sum(2) < math.inf)
    tiles = beyond.view(12, 4, 16).any(2).cpu()
    assert tiles.any() and not tiles.all()
    visible = (3584 + 128 * torch.arange(1, 5)) // 64
    assert ((lists.counts.cpu() == visible) >= tiles).all()
    selector.close()


def test_not_a_number(selectors):
    query, key = make(1280, 2560, 12, 2, 128)
    selector = selectors(alpha=0.3, window_tokens=0)
    clean = select(selector, query, key)[0].mask()
    everything = lambda mask, tile: mask[:, tile].sum(1) == (1280 + (tile + 1) * TILE_ROWS) // 64
    broken = key.clone()
    broken[1280 + 300, 1, 5] = math.nan  # the KV head of the heads from 6 on, in tile 2
    mask = select(selector, query, broken)[0].mask()
    assert (mask[:6] == clean[:6]).all() and (mask[:, :2] == clean[:, :2]).all()
    for tile in range(2, 10):
        assert everything(mask[6:], tile).all(), f"tile {tile}"
    broken = query.clone()
    broken[3 * TILE_ROWS + 7, 4, 0] = math.nan  # a sampled row
    broken[5 * TILE_ROWS + 8, 4, 0] = math.nan  # not one
    mask = select(selector, broken, key)[0].mask()
    assert everything(mask, 3)[4]
    mask[4, 3] = clean[4, 3]
    assert (mask == clean).all(), "NaN in one row reached another tile"
    selector.close()


def test_nothing_to_do(selectors):
    query, key = make(128, 128, 12, 2, 128)
    selector = selectors()
    lists = lists_for(query, 128)
    selector.run(query[:0], key, key, 128, key, lists)
    torch.cuda.synchronize()
    assert (lists.counts == -1).all()
    selector.close()


def test_bad_input_is_refused(selectors):
    for expected, settings in {
        "12 sampled rows": {"sampled_rows": 12},
        "averages of 2 keys": {"pooled_keys": 2},
        "alpha is not a number": {"alpha": math.nan},
        "window_tokens is negative": {"window_tokens": -1},
        "segments of 200 tokens": {"segment_tokens": 200},
        "one row in 0": {"row_step": 0},
        "window_share is not": {"window_share": 2.0},
        "max_blocks is negative": {"max_blocks": -1},
    }.items():
        check_refused(lambda: selectors(**settings), expected)
    query, key = make(256, 640, 12, 2, 128)
    selector = selectors()
    for expected, overrides in {
        "softmax_scale": {"softmax_scale": math.nan},
        "not on a multiple of 128": {"kv_len": 630},
        "pooled_key is null": {"pooled_key": 0},
        "workspace is not aligned": {"workspace": key.data_ptr() + 2},
        "max_blocks 8 is not": {"max_blocks": 8},
        "pool_from 385": {"pool_from": 385},
        "a pool of 0 blocks": {"block_table": key.data_ptr(), "pool_blocks": 0},
        "2000000 keys are more": {"kv_len": 2000000},
    }.items():
        check_refused(lambda: select(selector, query, key, **overrides), expected)
    selector.close()


def run_all(library, only=""):
    """Runs the tests; returns the names of those that failed."""
    suites = [
        (globals(), "selection", lambda: nullcontext(Selectors(library, portable=False))),
        (globals(), "portable selection", lambda: nullcontext(Selectors(library, portable=True))),
    ]
    return run_suites(suites, only)


if __name__ == "__main__":
    main(run_all, __doc__)
