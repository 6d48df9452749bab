"""Checks the decoder's operations on a GPU: python3 test/kernels/ops_test.py LIBRARY [--only NAME]

Outputs are compared with fp64 and may be off by twice what torch's own bf16 operations are off, plus
what rounding the exact result costs.
"""

import math
from contextlib import nullcontext

import torch

from ops_kernels import (
    IDENTITY,
    KV_BLOCK_TOKENS,
    Format,
    GemvParams,
    KernelError,
    OpsKernels,
    PlainRopeSpec,
    QkvGemvParams,
    RmsNormParams,
    RopeKvParams,
    RowMap,
    SwigluGemvParams,
    SwigluParams,
    address,
    gemv_input,
    matrix,
)
from ops_testing import Poisoned, assert_close, assert_same, draw, padded_to_16, random_blocks
from suite_runner import main, run_suites

EPSILON = 1e-6
FEW = 64  # rows: the largest error of fewer says little, and may be tiny in torch by luck
BF16, FP32 = 0, 1
SHAPES = [
    (1, 16),
    (2, 64),
    (131, 576),
    (2113, 896),
    (2048, 1536),
    (1536, 8960),
    (3, 18944),
    (5, 24576),
]
QUANTISED_SHAPES = [
    (1, 256),
    (16, 256),
    (131, 768),
    (2113, 1536),
    (4256, 1536),
    (1536, 8960),
    (3, 18944),
]
# query heads, KV heads, head dim
MODELS = [(12, 2, 128), (14, 2, 64), (9, 3, 64), (16, 8, 128), (4, 4, 64)]


def exact_norm(x, weight):
    x = x.double()
    return x / (x.pow(2).mean(-1, keepdim=True) + EPSILON).sqrt() * weight.double()


def torch_norm(x, weight):
    scale = torch.rsqrt(x.float().pow(2).mean(-1, keepdim=True) + EPSILON)
    return (x.float() * scale).bfloat16() * weight.bfloat16()


# RMSNorm and SwiGLU


def test_rms_norm(kernels):
    for tokens, features in [(16, 8), (1, 1536), (7, 576), (9, 896), (300, 8960), (8, 24576)]:
        x, weight = draw(tokens, features, seed=features), draw(features, dtype=torch.float32) + 1
        output = Poisoned(tokens, features)
        params = RmsNormParams(
            address(x), address(weight), address(output.tensor), tokens, features, EPSILON
        )
        kernels.enqueue("rms_norm", params)
        what = f"{tokens} x {features}"
        assert_close(what, output.written(), torch_norm(x, weight), exact_norm(x, weight))


def test_rms_norm_in_place_and_row_by_row(kernels):
    x, weight = draw(33, 1536), draw(1536, dtype=torch.float32)
    whole, single = x.clone(), torch.empty(1, 1536, device="cuda", dtype=torch.bfloat16)
    kernels.enqueue(
        "rms_norm", RmsNormParams(address(x), address(weight), address(whole), 33, 1536, EPSILON)
    )
    row = x[20:21].clone()
    kernels.enqueue(
        "rms_norm", RmsNormParams(address(row), address(weight), address(single), 1, 1536, EPSILON)
    )
    kernels.enqueue(
        "rms_norm", RmsNormParams(address(x), address(weight), address(x), 33, 1536, EPSILON)
    )
    assert_same("in place", x, whole)
    assert_same("alone", single[0], whole[20])


def test_swiglu(kernels):
    for tokens, features in [(17, 8), (1, 8960), (37, 1536), (300, 4864)]:
        gate_up = draw(tokens, 2 * features, seed=features, scale=4.0)
        output = Poisoned(tokens, features)
        kernels.enqueue(
            "swiglu", SwigluParams(address(gate_up), address(output.tensor), tokens, features)
        )
        gate, up = gate_up[:, :features], gate_up[:, features:]
        exact = torch.nn.functional.silu(gate.double()) * up.double()
        torchs = torch.nn.functional.silu(gate) * up
        assert_close(f"{tokens} x {features}", output.written(), torchs, exact)


def test_swiglu_of_extreme_gates(kernels):
    gates = torch.tensor([-1e30, -200.0, -88.0, 0.0, 88.0, 200.0, 1e30, math.inf])
    gate_up = torch.cat([gates, torch.ones(8)]).bfloat16().cuda()
    output = Poisoned(1, 8)
    kernels.enqueue("swiglu", SwigluParams(address(gate_up), address(output.tensor), 1, 8))
    expected = torch.nn.functional.silu(gates.bfloat16().double()).cuda()
    ours = output.written()[0].double()
    assert torch.allclose(ours, expected, rtol=2**-8, atol=1e-30), f"{ours} not {expected}"


# Rotary positions


def hugging_face_radians(spec):
    """modeling_rope_utils.py of transformers, in fp64."""
    dim, base, factor = spec.head_dim, spec.base, spec.factor
    plain = base ** -(torch.arange(0, dim, 2, dtype=torch.float64) / dim)
    context = spec.original_context_tokens
    if spec.scaling == 0:
        return plain
    if spec.scaling == 1:
        wavelength = 2 * math.pi / plain
        smooth = (context / wavelength - spec.low_frequency_factor) / (
            spec.high_frequency_factor - spec.low_frequency_factor
        )
        between = (1 - smooth) * plain / factor + smooth * plain
        slowed = torch.where(
            wavelength > context / spec.low_frequency_factor, plain / factor, between
        )
        return torch.where(wavelength < context / spec.high_frequency_factor, plain, slowed)
    pair_of = lambda turns: dim * math.log(context / (turns * 2 * math.pi)) / (2 * math.log(base))
    low = max(math.floor(pair_of(spec.beta_fast)), 0)
    high = min(math.ceil(pair_of(spec.beta_slow)), dim - 1)
    ramp = ((torch.arange(dim // 2, dtype=torch.float64) - low) / (high - low)).clamp(0, 1)
    return plain / factor * ramp + plain * (1 - ramp)


SPECS = {
    "plain": PlainRopeSpec(128, 1e6, 0, 1.0, 0, 1.0, 4.0, 32.0, 1.0, 0.0),
    "llama3": PlainRopeSpec(128, 5e5, 1, 8.0, 8192, 1.0, 4.0, 32.0, 1.0, 0.0),
    "yarn": PlainRopeSpec(128, 1e6, 2, 4.0, 32768, 1.0, 4.0, 32.0, 1.0, 0.0),
    "yarn of 64": PlainRopeSpec(64, 1e4, 2, 16.0, 4096, 1.0, 4.0, 32.0, 1.0, 1.2),
}


def test_rope_tables(kernels):
    for name, spec in SPECS.items():
        radians, factor = kernels.rope_frequencies(spec)
        expected = hugging_face_radians(spec)
        worst = ((radians - expected) / expected).abs().max().item()
        assert worst < 1e-14, f"{name}: frequencies off by {worst:.1e}"
        named = spec.attention_factor or 0.1 * math.log(spec.factor) + 1
        assert abs(factor - (named if spec.scaling == 2 else 1.0)) < 1e-15, f"{name}: {factor}"
        positions = 131073
        angles = torch.arange(positions, dtype=torch.float64)[:, None] * radians
        for table, exact in zip(
            kernels.rope_tables(radians, factor, positions), (angles.cos(), angles.sin())
        ):
            error = (table.cpu().double() - exact * factor).abs().max().item()
            assert error < 2**-24 * factor + 1e-10, f"{name}: off by {error:.1e}"


class RopeCase:
    """One call of rope_kv or qkv_gemv, its pools poisoned, its expected outputs in fp64."""

    def __init__(self, kernels, model, tokens, first, is_interleaved=False, has_norms=False):
        self.model, self.tokens, self.first = model, tokens, first
        self.is_interleaved = is_interleaved
        heads, kv_heads, dim = model
        spec = PlainRopeSpec(dim, 1e6, 2, 4.0, 32768, 1.0, 4.0, 32.0, 1.0, 0.0)
        self.radians, self.factor = kernels.rope_frequencies(spec)
        self.cos, self.sin = kernels.rope_tables(self.radians, self.factor, first + tokens)
        blocks = (first + tokens - 1) // KV_BLOCK_TOKENS + 1
        self.table = torch.randperm(blocks + 2, generator=torch.Generator().manual_seed(blocks))[
            :blocks
        ].to(device="cuda", dtype=torch.int32)
        rows = (blocks + 2) * KV_BLOCK_TOKENS
        self.query = Poisoned(tokens, heads, dim)
        self.key_pool, self.value_pool = (Poisoned(rows, kv_heads, dim) for _ in range(2))
        self.norms = None
        if has_norms:
            self.norms = [draw(dim, seed=seed, dtype=torch.float32) + 1 for seed in (5, 6)]
        self.position = torch.tensor([first], dtype=torch.int32, device="cuda")
        positions = torch.arange(first, first + tokens, device="cuda")
        self.rows = (
            self.table[positions // KV_BLOCK_TOKENS].long() * KV_BLOCK_TOKENS
            + positions % KV_BLOCK_TOKENS
        )

    def params(self, qkv):
        query_norm, key_norm = self.norms or (None, None)
        return RopeKvParams(
            address(qkv),
            address(self.query.tensor),
            address(self.key_pool.tensor),
            address(self.value_pool.tensor),
            address(self.table),
            address(self.position),
            address(self.cos),
            address(self.sin),
            address(query_norm),
            address(key_norm),
            EPSILON if self.norms else 0.0,
            int(self.is_interleaved),
            self.tokens,
            *self.model,
        )

    def expected(self, qkv, dtype, norm):
        """q, k, v from [tokens, heads, dim] in `dtype`, which decides the rounding."""
        heads, kv_heads, dim = self.model
        q, k, v = qkv.to(dtype).split([heads, kv_heads, kv_heads], 1)
        if self.norms:
            q, k = norm(q, self.norms[0]).to(dtype), norm(k, self.norms[1]).to(dtype)
        angles = (
            torch.arange(self.first, self.first + self.tokens, dtype=torch.float64)[:, None]
            * self.radians
        ).cuda()
        cos, sin = ((f(angles) * self.factor).to(dtype)[:, None] for f in (torch.cos, torch.sin))
        return self.turned(q, cos, sin), self.turned(k, cos, sin), v

    def turned(self, x, cos, sin):
        half = x.shape[-1] // 2
        a, b = (
            (x[..., 0::2], x[..., 1::2]) if self.is_interleaved else (x[..., :half], x[..., half:])
        )
        pair = (a * cos - b * sin, b * cos + a * sin)
        return torch.stack(pair, -1).flatten(-2) if self.is_interleaved else torch.cat(pair, -1)

    def outputs(self):
        """q, k, v, after checking that nothing else was written."""
        others = torch.ones(self.key_pool.tensor.shape[0], dtype=torch.bool, device="cuda")
        others[self.rows] = False
        pools = [pool.written(expect_nan=True) for pool in (self.key_pool, self.value_pool)]
        for pool in pools:
            assert pool[others].isnan().all(), "wrote to another token's row"
            assert not pool[self.rows].isnan().any(), "an element of the pool was not written"
        return self.query.written(), pools[0][self.rows], pools[1][self.rows]

    def check(self, what, exact, torchs):
        for name, *tensors in zip("qkv", self.outputs(), torchs, exact):
            assert_close(f"{what} {self.model}, {self.tokens} from {self.first}: {name}", *tensors)


def test_rope_kv(kernels):
    for model in MODELS:
        heads = model[0] + 2 * model[1]
        for tokens, first in [(1, 0), (1, 639), (1, 640), (5, 637), (641, 1279), (33, 40000)]:
            for variant in range(4):
                case = RopeCase(kernels, model, tokens, first, variant % 2 == 1, variant >= 2)
                qkv = draw(tokens, heads, model[2], seed=tokens + variant)
                kernels.enqueue("rope_kv", case.params(qkv))
                exact = case.expected(qkv, torch.float64, exact_norm)
                case.check("rope_kv", exact, case.expected(qkv, torch.bfloat16, torch_norm))


def test_rope_kv_of_many_tokens(kernels):
    case = RopeCase(kernels, (12, 2, 128), 131073, 0)
    qkv = draw(131073, 16, 128)
    kernels.enqueue("rope_kv", case.params(qkv))
    q, k, v = case.outputs()
    last = RopeCase(kernels, (12, 2, 128), 1, 131072)
    row = qkv[-1:].clone()
    kernels.enqueue("rope_kv", last.params(row))
    for name, many, alone in zip("qkv", (q, k, v), last.outputs()):
        assert_same(name, many[-1:], alone)


# Matrix times vector


def make_weight(kernels, kind, rows, columns):
    """Device bytes, fp64 values."""
    if kind == Format.BF16:
        weight = draw(rows, columns, seed=rows + columns, scale=columns**-0.5)
        return weight, weight.double()
    blocks = random_blocks(kind, rows * columns, seed=rows + columns)
    values = kernels.reference_dequantize(kind, blocks, rows * columns)
    return padded_to_16(blocks), values.view(rows, columns).cuda().double()


def run_gemv(kernels, weight, kind, x, norm=None, bias=None, residual=None, output_type=BF16):
    rows = weight[1].shape[0]
    output = Poisoned(rows, dtype=torch.float32 if output_type == FP32 else torch.bfloat16)
    params = GemvParams(
        matrix(weight[0], *weight[1].shape, kind),
        gemv_input(x, norm),
        address(bias),
        address(residual),
        address(output.tensor),
        output_type,
    )
    kernels.enqueue("gemv", params)
    return output.written()


def check_gemv(kernels, kind, rows, columns):
    weight = make_weight(kernels, kind, rows, columns)
    low = weight[1].bfloat16()
    x, norm = draw(columns, seed=1), draw(columns, dtype=torch.float32, seed=2) * 0.1 + 1
    bias, residual = draw(rows, dtype=torch.float32, seed=3), draw(rows, seed=4)
    what = f"{kind.name} {rows} x {columns}"
    if rows >= FEW:
        ours = run_gemv(kernels, weight, kind, x, bias=bias, residual=residual)
        torchs = low @ x + bias.bfloat16() + residual
        exact = weight[1] @ x.double() + bias.double() + residual.double()
        assert_close(what, ours, torchs, exact)
        ours = run_gemv(kernels, weight, kind, x, norm=norm, output_type=FP32)
        exact = weight[1] @ exact_norm(x, norm)
        assert_close(f"{what}, normed", ours, low @ torch_norm(x, norm), exact)
    plain = run_gemv(kernels, weight, kind, x, output_type=FP32).double()
    exact = weight[1] @ x.double()
    bound = 1e-6 * (weight[1].abs() @ x.double().abs()).max().item()
    assert (plain - exact).abs().max().item() < bound, f"{what}: more than fp32 rounding"


def test_gemv_bf16(kernels):
    for rows, columns in SHAPES:
        check_gemv(kernels, Format.BF16, rows, columns)


def test_gemv_quantised(kernels):
    for kind in (Format.Q4_1, Format.Q5_0, Format.Q8_0, Format.Q4_K, Format.Q6_K):
        for rows, columns in QUANTISED_SHAPES:
            check_gemv(kernels, kind, rows, columns)


def test_gemv_blocks_of_32(kernels):
    for kind in (Format.Q4_1, Format.Q5_0, Format.Q8_0):
        for rows, columns in [(1, 32), (67, 576), (2113, 896)]:
            check_gemv(kernels, kind, rows, columns)


def test_gemv_of_floats_and_halves(kernels):
    for kind in (Format.F32, Format.F16):
        for rows, columns in [(1, 16), (131, 576), (300, 8960)]:
            check_gemv(kernels, kind, rows, columns)


def test_lm_head(kernels):
    check_gemv(kernels, Format.BF16, 151936, 1536)
    check_gemv(kernels, Format.Q6_K, 151936, 1536)


def test_residual_in_place(kernels):
    weight = make_weight(kernels, Format.BF16, 1536, 1536)
    x, residual = draw(1536), draw(1536, seed=9)
    expected = run_gemv(kernels, weight, Format.BF16, x, residual=residual)
    params = GemvParams(
        matrix(weight[0], 1536, 1536),
        gemv_input(x),
        None,
        address(residual),
        address(residual),
        BF16,
    )
    kernels.enqueue("gemv", params)
    assert_same("in place", residual, expected)


def interleaved(gate, up, block):
    """Rows of gate and up in turns of `block` rows, the last turn padded."""
    features = gate.shape[0]
    turns = math.ceil(features / block)
    both = torch.full((turns, 2, block, gate.shape[1]), math.nan, device="cuda").bfloat16()
    for i, part in enumerate((gate, up)):
        padded = torch.nn.functional.pad(part, (0, 0, 0, turns * block - features))
        both[:, i] = padded.view(turns, block, -1)
    return both.view(-1, gate.shape[1])


def run_swiglu_gemv(kernels, gate, up, maps, x, norm, features):
    output = Poisoned(features)
    params = SwigluGemvParams(
        gate, up, *maps, gemv_input(x, norm), address(output.tensor), features
    )
    kernels.enqueue("swiglu_gemv", params)
    return output.written()


def test_swiglu_gemv(kernels):
    for features, columns in [(67, 64), (131, 576), (8960, 1536), (4864, 896)]:
        x, norm = draw(columns, seed=1), draw(columns, dtype=torch.float32, seed=2) * 0.1 + 1
        gate, up = (draw(features, columns, seed=s, scale=2 * columns**-0.5) for s in (3, 4))
        exact_x, torch_x = exact_norm(x, norm), torch_norm(x, norm)
        exact = torch.nn.functional.silu(gate.double() @ exact_x) * (up.double() @ exact_x)
        torchs = torch.nn.functional.silu(gate @ torch_x) * (up @ torch_x)
        matrices = [matrix(part, features, columns) for part in (gate, up)]
        ours = run_swiglu_gemv(kernels, *matrices, [IDENTITY, IDENTITY], x, norm, features)
        assert_close(f"{features} x {columns}", ours, torchs, exact)
        for block in (1, 8, 64, 128):
            both = interleaved(gate, up, block)
            same = matrix(both, both.shape[0], columns)
            maps = [RowMap(block, 2 * block, 0), RowMap(block, 2 * block, block)]
            mapped = run_swiglu_gemv(kernels, same, same, maps, x, norm, features)
            assert_same(f"{features} x {columns} by {block}", mapped, ours)


def test_swiglu_gemv_quantised(kernels):
    features, columns = 1111, 1536
    x, norm = draw(columns, seed=1), draw(columns, dtype=torch.float32, seed=2) * 0.1 + 1
    for kind in Format:
        gate, up = (make_weight(kernels, kind, features + i, columns) for i in (0, 1))
        exact_x, torch_x = exact_norm(x, norm), torch_norm(x, norm)
        wide = [gate[1], up[1][:features]]
        exact = torch.nn.functional.silu(wide[0] @ exact_x) * (wide[1] @ exact_x)
        torchs = torch.nn.functional.silu(wide[0].bfloat16() @ torch_x) * (
            wide[1].bfloat16() @ torch_x
        )
        matrices = [matrix(part[0], *part[1].shape, kind) for part in (gate, up)]
        ours = run_swiglu_gemv(kernels, *matrices, [IDENTITY, IDENTITY], x, norm, features)
        assert_close(kind.name, ours, torchs, exact)


def test_qkv_gemv(kernels):
    for model, columns in zip(MODELS, (1536, 896, 576, 1024, 64)):
        heads, _, dim = model[0] + 2 * model[1], model[1], model[2]
        rows = heads * dim
        x, norm = draw(columns, seed=1), draw(columns, dtype=torch.float32, seed=2) * 0.1 + 1
        weight = draw(rows, columns, seed=3, scale=columns**-0.5)
        bias = draw(rows, dtype=torch.float32, seed=4)
        for first in (0, 639, 640, 32768):
            for is_interleaved in (False, True):
                case = RopeCase(kernels, model, 1, first, is_interleaved)
                params = QkvGemvParams(
                    matrix(weight, rows, columns),
                    gemv_input(x, norm),
                    address(bias),
                    case.params(None),
                )
                kernels.enqueue("qkv_gemv", params)
                qkv = weight.double() @ exact_norm(x, norm) + bias.double()
                exact = case.expected(qkv.view(1, heads, dim), torch.float64, exact_norm)
                low = weight @ torch_norm(x, norm) + bias.bfloat16()
                torchs = case.expected(low.view(1, heads, dim), torch.bfloat16, torch_norm)
                case.check("qkv_gemv", exact, torchs)


def one_by_one(kernels, calls):
    for call in calls:
        kernels.enqueue("gemv", call)
        torch.cuda.synchronize()


def test_overlapping_launches_change_nothing(kernels):
    """A graph of products that overlap gives the bits of products one by one, every time."""
    shapes = [(2048, 1536), (1536, 2048), (8960, 1536), (1536, 8960), (64, 1536), (1536, 64)]
    weights = [draw(*shape, seed=i, scale=shape[1] ** -0.5) for i, shape in enumerate(shapes)] * 4
    ones = torch.ones(8960, device="cuda")
    buffers = [torch.zeros(w.shape[0], device="cuda", dtype=torch.bfloat16) for w in weights]
    x = draw(1536, seed=77)
    inputs = [x, *buffers[:-1]]
    calls = [
        GemvParams(
            matrix(w, *w.shape), gemv_input(i, ones[: w.shape[1]]), None, None, address(o), BF16
        )
        for w, i, o in zip(weights, inputs, buffers)
    ]
    one_by_one(kernels, calls)
    expected = buffers[-1].clone()
    assert not expected.isnan().any() and expected.float().std() > 0.1
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        for call in calls:
            kernels.enqueue("gemv", call)
    for _ in range(20):
        for buffer in buffers:
            buffer.fill_(math.nan)
        graph.replay()
        torch.cuda.synchronize()
        assert_same("graph", buffers[-1], expected)


def test_nan_in_the_input_shows(kernels):
    weight = make_weight(kernels, Format.BF16, 64, 1536)
    x = draw(1536)
    x[700] = math.nan
    output = Poisoned(64)
    params = GemvParams(
        matrix(weight[0], 64, 1536), gemv_input(x), None, None, address(output.tensor), BF16
    )
    kernels.enqueue("gemv", params)
    assert output.written(expect_nan=True).isnan().all()


def test_bad_input_is_refused(kernels):
    weight, x, output = draw(4, 64), draw(64), draw(64)
    good = matrix(weight, 4, 64)
    to, plain = address(output), gemv_input(x)
    gemv = lambda *fields: ("gemv", GemvParams(*fields))
    swiglu = lambda *fields: ("swiglu_gemv", SwigluGemvParams(*fields))
    shifted = gemv_input(x)
    shifted.values += 2
    cases = {
        "20 columns": gemv(matrix(weight, 4, 20), plain, None, None, to, BF16),
        "24592 columns": gemv(matrix(weight, 4, 24592), plain, None, None, to, BF16),
        "input is not aligned": gemv(good, shifted, None, None, to, BF16),
        "output is null": gemv(good, plain, None, None, None, BF16),
        "bias is not aligned": gemv(good, plain, to + 4, None, to, BF16),
        "norm_epsilon": gemv(good, gemv_input(x, x, 0.0), None, None, to, BF16),
        "up_rows leaves the 4 rows": swiglu(good, good, IDENTITY, RowMap(1, 1, 1), plain, to, 4),
        "gate and up differ": swiglu(good, matrix(weight, 4, 32), IDENTITY, IDENTITY, plain, to, 4),
        "0 features": swiglu(good, good, IDENTITY, IDENTITY, plain, to, 0),
        "epsilon is not positive": ("rms_norm", RmsNormParams(to, to, to, 1, 64, 0.0)),
        "60 features": ("swiglu", SwigluParams(to, to, 1, 60)),
    }
    for expected, (name, params) in cases.items():
        try:
            kernels.enqueue(name, params)
        except KernelError as error:
            assert expected in str(error), f"{error} does not say {expected}"
        else:
            raise AssertionError(f"accepted: {expected}")


def run_all(library, only=""):
    """Runs the tests; returns the names of those that failed."""
    return run_suites([(globals(), "ops", lambda: nullcontext(OpsKernels(library)))], only)


if __name__ == "__main__":
    main(run_all, __doc__)
