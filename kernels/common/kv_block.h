// How the KV cache lies in memory: blocks of a pool, found through a block table.
#pragma once

namespace longview {

/// Tokens in one block of the KV pool. Every attention tile divides it (160, 128, 64, 32 and 16
/// keys), so no tile crosses a block. Token t of a sequence lies in pool row
/// `block_table[t / KV_BLOCK_TOKENS] * KV_BLOCK_TOKENS + t % KV_BLOCK_TOKENS`.
constexpr int KV_BLOCK_TOKENS = 640;

/// Blocks that hold `tokens` tokens, the last one perhaps in part.
constexpr int kv_blocks(int tokens) { return (tokens + KV_BLOCK_TOKENS - 1) / KV_BLOCK_TOKENS; }

}  // namespace longview
