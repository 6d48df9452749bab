"""Published sparse prefill attention behind one call, each at its authors' settings for the Qwen family.

A peer is made by `make(folder)`, where `folder` is what fetch.py made, and called as peer(query, key, value)
with bf16 tensors [tokens, heads, 128], twice [tokens, KV heads, 128], contiguous, on the GPU. It returns the
output, shaped like query. `peer.density()` is the share of the causal key blocks that the last call computed, a
number or a tensor of one on the GPU; None where the peer does not tell.
"""

import ctypes
import importlib
import math
from contextlib import contextmanager
from types import SimpleNamespace

import torch

from partial_imports import bare_package, found_first, functions_of, stand_in


class FlashPrefill:
    """FlashPrefill v1 (Triton). `alpha` 0.08 is what its qwen2.py has."""

    settings = "alpha 0.08, blocks of 128, sink 2, window 4, last 2 blocks dense"

    def __init__(self, folder, compiled=True):
        """Without `compiled` its selection runs as written instead of through torch.compile, which takes many
        seconds for each length."""
        if not compiled:
            self.settings += "; selection not compiled"
        identity = lambda function: function
        stand_in("fla")
        stand_in(
            "fla.utils",
            contiguous=identity,
            autocast_custom_fwd=torch.amp.custom_fwd(device_type="cuda"),
        )
        with _fewer_configurations(), _compiling(compiled), found_first(folder / "ops"):
            self._peer = importlib.import_module("flashprefill_native_forward")

    def __call__(self, query, key, value):
        output = torch.empty_like(query)
        self._peer.flash_prefill(
            query[None], key[None], value[None], output[None], 128, 2, 4, 0.08, 2, 0
        )
        return output

    def density(self):
        return None


# Of the dozens of Triton configurations that FlashPrefill v1 tries for each length, the few that can win on
# Hopper at head dim 128: compiling the others takes minutes.
_TRIED = {
    "compute_mean_vector": [{"num_warps": 4, "num_stages": 3}],
    "compute_block_score": [
        {"K_TILE_SIZE": 128, "num_warps": 8, "num_stages": 3},
        {"K_TILE_SIZE": 64, "num_warps": 4, "num_stages": 3},
    ],
    "_flash_forward": [
        {"Q_TILE_SIZE": 128, "K_TILE_SIZE": 64, "num_warps": 8, "num_stages": 3},
        {"Q_TILE_SIZE": 128, "K_TILE_SIZE": 64, "num_warps": 8, "num_stages": 2},
        {"Q_TILE_SIZE": 64, "K_TILE_SIZE": 64, "num_warps": 4, "num_stages": 3},
    ],
}


@contextmanager
def _fewer_configurations():
    import triton

    autotune = triton.autotune

    def fewer(configs, key, **options):
        def decorate(kernel):
            tried = _TRIED.get(kernel.fn.__name__)
            return autotune(configs=_matching(configs, tried), key=key, **options)(kernel)

        return decorate

    triton.autotune = fewer
    try:
        yield
    finally:
        triton.autotune = autotune


@contextmanager
def _compiling(allowed):
    """Within it, torch.compile leaves functions as they are unless it is `allowed`."""
    compile_function = torch.compile
    if not allowed:
        torch.compile = lambda function=None, **_: function or (lambda decorated: decorated)
    try:
        yield
    finally:
        torch.compile = compile_function


def _matching(configs, tried):
    if tried is None:
        return configs
    facts = lambda config: {
        **config.kwargs,
        "num_warps": config.num_warps,
        "num_stages": config.num_stages,
    }
    kept = [config for config in configs if facts(config) in tried]
    if len(kept) != len(tried):
        raise ValueError("the peer no longer has the configurations that are to be tried")
    return kept


class FlashPrefill2:
    """FlashPrefill V2 (CUDA, from FlashAttention-3). 0.08 is its paper's threshold for Qwen2.5."""

    settings = "threshold 0.08, blocks of 128, sink 2, window 4, last 8 blocks dense, mean correction"

    def __init__(self, folder, threshold=0.08):
        with found_first(folder / "package"):
            theirs = importlib.import_module("flashprefill")
        self._peer = theirs.FlashPrefill(
            k_block_m=128,
            k_block_n=128,
            abs_threshold=threshold,
            attention_sink=2,
            window_size=4,
            last_n_blocks=8,
            use_mean_correction=True,
        )
        self._of_length = {}
        self._selected = None

    def __call__(self, query, key, value):
        tokens = query.shape[0]
        pages, lengths, starts = self._sequence(tokens)
        # The selection is made for pages of one token, the attention is faster without pages: the same memory.
        index = self._peer.index_select(
            query,
            key.view(tokens, 1, *key.shape[1:]),
            pages,
            lengths,
            starts,
            v_cache=value.view(tokens, 1, *value.shape[1:]),
            q_lens=(tokens,),
            max_cache_seqlen=tokens,
        )
        self._selected = (index.block_sparse_cu[-1].clone(), query.shape[1], key.shape[1], tokens)
        return self._peer.block_sparse_attention(
            query, key[None], value[None], None, lengths, starts, index, max_seqlen_q=tokens
        )

    def density(self):
        """Its tiles are 128 packed (position, head) rows of a KV head, its blocks 64 keys."""
        selected, heads, kv_heads, tokens = self._selected
        group = heads // kv_heads
        ends = (torch.arange(1, math.ceil(tokens * group / 128) + 1) * 128).clamp(max=tokens * group)
        visible = ((ends - 1) // group) // 64 + 1
        return selected / (visible.sum().item() * kv_heads)

    def _sequence(self, tokens):
        if tokens not in self._of_length:
            ids = lambda *values: torch.tensor(values, dtype=torch.int32, device="cuda")
            pages = torch.arange(tokens, dtype=torch.int32, device="cuda")[None]
            self._of_length[tokens] = (pages, ids(tokens), ids(0, tokens))
        return self._of_length[tokens]


class FlexPrefill:
    """FlexPrefill (Triton), gamma and tau as in its README."""

    settings = "gamma 0.9, tau 0.1, at least 512 tokens"

    def __init__(self, folder):
        bare_package("flex_prefill", folder / "flex_prefill")
        bare_package("flex_prefill.ops", folder / "flex_prefill" / "ops")
        name = "flex_prefill.ops.flex_prefill_attention"
        self._peer = importlib.import_module(name)
        self._peer.GPU_NAME = "nvidia h100"  # it knows the settings for Hopper by this name
        self._density = None

    def __call__(self, query, key, value):
        output, share = self._peer.flex_prefill_attention(
            query[None],
            key[None],
            value[None],
            gamma=0.9,
            tau=0.1,
            min_budget=512,
            return_computational_ratio=True,
        )
        blocks = math.ceil(query.shape[0] / 128)
        self._density = share * blocks * blocks / (blocks * (blocks + 1) / 2)
        return output[0]

    def density(self):
        return self._density


class MInference:
    """MInference's vertical-slash pattern (Triton), with the sizes that it has for heads that were not searched."""

    settings = "vertical-slash, 1000 columns and 6096 diagonals for every head"

    def __init__(self, folder):
        bare_package("minference", folder / "minference")
        bare_package("minference.ops", folder / "minference" / "ops")
        stand_in("minference.cuda", convert_vertical_slash_indexes=_index_converter(folder))
        operation = importlib.import_module("minference.ops.pit_sparse_flash_attention_v2")
        self._head = functions_of(
            folder / "minference" / "modules" / "minference_forward.py",
            ("sum_all_diagonal_matrix", "gather_last_q_vertical_slash_topk_v4.vertical_and_slash_kernel"),
            {
                "torch": torch,
                "math": math,
                "vertical_slash_sparse_attention": operation.vertical_slash_sparse_attention,
                "LAST_Q_MASK": torch.ones(64, 64, device="cuda").tril().bool()[None, None],
                "self": SimpleNamespace(head_dim=128),
            },
        )["vertical_and_slash_kernel"]

    def __call__(self, query, key, value):
        heads, group = query.shape[1], query.shape[1] // key.shape[1]
        output = torch.empty_like(query)
        for head in range(heads):
            of_head = (query[:, head], key[:, head // group], value[:, head // group])
            arguments = [x[None, None].contiguous() for x in of_head]
            self._scope(arguments[0].shape[2])
            output[:, head] = self._head(*arguments, 1000, 6096)[0, 0]
        return output

    def density(self):
        return None

    def _scope(self, tokens):
        # The function is defined inside another one, of which it uses this variable.
        self._head.__globals__["q_len"] = tokens


def _index_converter(folder):
    library = ctypes.CDLL(str(folder / "libindex.so"))

    def convert(seqlens, vertical, slash, context_size, block_rows, block_keys):
        if (block_rows, block_keys) != (64, 64):
            raise ValueError("the index is made for blocks of 64 x 64")
        batch, heads, nnz_v = vertical.shape
        nnz_s, rows = slash.shape[2], math.ceil(context_size / 64)
        zeros = lambda *shape: torch.zeros(shape, dtype=torch.int32, device="cuda")
        results = (
            zeros(batch, heads, rows),
            zeros(batch, heads, rows, nnz_s),
            zeros(batch, heads, rows),
            zeros(batch, heads, rows, nnz_v),
        )
        tensors = (seqlens, vertical.contiguous(), slash.contiguous(), *results)
        addresses = [ctypes.c_void_p(tensor.data_ptr()) for tensor in tensors]
        library.convert_indexes(*addresses, batch, heads, rows, nnz_v, nnz_s)
        return results

    return convert


PEERS = {
    "flashprefill2": FlashPrefill2,
    "flashprefill": FlashPrefill,
    "flexprefill": FlexPrefill,
    "minference": MInference,
}


def make(name, folder, compiled=True):
    """The peer `name`, from what fetch.py put into `folder`/`name`; `compiled` as FlashPrefill has it."""
    if name == "flashprefill":
        return FlashPrefill(folder / name, compiled)
    return PEERS[name](folder / name)
