"""SampleAttention on torch tensors: sampling, selection and attention of one layer."""

import math

import torch

import longview_attention as longview


class SampleAttention:
    """Causal attention of one layer of a whole prompt over the key blocks that `settings` choose."""

    def __init__(self, library, settings, chunk_tokens=16384):
        """`library` as longview_attention.load returns it. Prompts are read in chunks of `chunk_tokens`,
        a multiple of 128: what the selection needs in memory grows with a chunk, not with the prompt."""
        if chunk_tokens % longview.TILE_ROWS != 0:
            raise ValueError(f"chunks of {chunk_tokens} tokens are no multiple of {longview.TILE_ROWS}")
        self._chunk_tokens = chunk_tokens
        self._library = library
        self._selector = longview.BlockSelector(library, settings)
        self._prefill = longview.SparsePrefill(library)
        self._buffers = {}

    def close(self):
        torch.cuda.synchronize()
        self._selector.close()
        self._prefill.close()

    def __call__(self, query, key, value, dense_from=longview.NEVER, head_alpha=None):
        """query [tokens, heads, dim]; key, value [tokens, KV heads, dim]; bf16, contiguous, on the GPU.
        Tiles that reach position `dense_from` read everything. `head_alpha`, fp32 [heads] on the GPU, stands in
        place of the settings' alpha. Returns the output, shaped like query, and how many blocks each tile of
        each head reads: int32 [heads, tiles]."""
        tokens = query.shape[0]
        output = torch.empty_like(query)
        counts = []
        for first in range(0, tokens, self._chunk_tokens):
            end = min(first + self._chunk_tokens, tokens)
            lists = self._select(query[first:end], key, end, dense_from, head_alpha)
            self._prefill.run(
                _prefill_call(query[first:end], key, value, output[first:end], end),
                lists,
                _stream(),
            )
            counts.append(self._buffers["counts"][: query.shape[1] * lists.tiles].clone())
        return output, torch.cat([each.view(query.shape[1], -1) for each in counts], dim=1)

    def _select(self, query, key, kv_len, dense_from, head_alpha):
        """The lists of one chunk, in buffers that the next call reuses."""
        q_len, num_heads, dim = query.shape
        heads = longview.Heads(num_heads, key.shape[1], dim)
        tiles = self._library.longview_lists_tiles(q_len)
        pitch = self._library.longview_lists_pitch(kv_len)
        lists = longview.Lists(
            blocks=self._buffer("blocks", num_heads * tiles * pitch, torch.int16),
            counts=self._buffer("counts", num_heads * tiles, torch.int32),
            tiles=tiles,
            max_blocks=pitch,
        )
        pooled_bytes = self._selector.pooled_bytes(heads, key.shape[0])
        workspace_bytes = self._selector.workspace_bytes(heads, q_len, kv_len)
        selection = longview.SelectionCall(
            query=query.data_ptr(),
            key=key.data_ptr(),
            pooled_key=self._buffer("pooled", pooled_bytes, torch.uint8),
            q_len=q_len,
            kv_len=kv_len,
            heads=heads,
            softmax_scale=1 / math.sqrt(dim),
            pool_from=kv_len - q_len,
            dense_from=dense_from,
            head_alpha=None if head_alpha is None else head_alpha.data_ptr(),
            workspace=self._buffer("workspace", workspace_bytes, torch.uint8),
            lists=lists,
        )
        self._selector.run(selection, longview.BOTH, _stream())
        return lists

    def _buffer(self, name, count, dtype):
        """The address of at least `count` elements, made once and again when more are needed."""
        held = self._buffers.get(name)
        if held is None or held.numel() < count:
            held = torch.empty(max(count, 16), dtype=dtype, device="cuda")
            self._buffers[name] = held
        return held.data_ptr()


class DenseAttention:
    """The dense kernel of the same library."""

    def __init__(self, library):
        self._prefill = longview.DensePrefill(library)

    def close(self):
        torch.cuda.synchronize()
        self._prefill.close()

    def __call__(self, query, key, value):
        """As SampleAttention; returns the output alone."""
        output = torch.empty_like(query)
        self._prefill.run(_prefill_call(query, key, value, output, key.shape[0]), _stream())
        return output


def densities(counts, tokens):
    """The share of the visible key blocks that each head reads, fp64 [heads] on the GPU; `counts` of a whole
    prompt of `tokens`, as SampleAttention returns them."""
    ends = (torch.arange(counts.shape[1]) + 1) * longview.TILE_ROWS
    visible = (ends.clamp(max=tokens) + longview.BLOCK_KEYS - 1) // longview.BLOCK_KEYS
    return counts.sum(1).double() / visible.sum().item()


def _prefill_call(query, key, value, output, kv_len):
    q_len, num_heads, dim = query.shape
    for tensor in (query, key, value, output):
        if tensor.dtype != torch.bfloat16 or not tensor.is_cuda or not tensor.is_contiguous():
            raise ValueError("query, key and value must be contiguous bf16 tensors on the GPU")
    return longview.PrefillCall(
        query=query.data_ptr(),
        key=key.data_ptr(),
        value=value.data_ptr(),
        output=output.data_ptr(),
        q_len=q_len,
        kv_len=kv_len,
        num_heads=num_heads,
        num_kv_heads=key.shape[1],
        head_dim=dim,
        softmax_scale=1 / math.sqrt(dim),
    )


def _stream():
    return torch.cuda.current_stream().cuda_stream
