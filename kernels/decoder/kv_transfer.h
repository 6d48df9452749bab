// KV of a sequence on its way to the host and back.
#pragma once

#include <cstdint>
#include <vector>

#include "common/pinned_buffer.h"
#include "common/stream.h"
#include "decoder/kv_pool.h"
#include "decoder/sequence.h"

namespace longview::decoder {

/// Copies KV between the pool and the host, one block's at most, through page-locked memory. On the
/// host it lies as [2 * layers, tokens, num_kv_heads, head_dim] bf16: K, then V, layer by layer.
class KvTransfer {
 public:
  explicit KvTransfer(const KvPool& pool) : pool_(pool) {}

  /// KV of tokens [`start`, `start` + `tokens`) of `sequence`, once it is there.
  /// @throws std::invalid_argument where they do not lie in one block of the pool that starts
  /// there, or are not the sequence's
  std::vector<uint8_t> fetch(const Sequence& sequence, int start, int tokens, const Stream& stream);

  /// @throws std::invalid_argument where `kv` is not what fetch() gave for so many tokens, or
  /// `sequence` is not whole blocks long.
  void require_appendable(const Sequence& sequence, int tokens,
                          const std::vector<uint8_t>& kv) const;

  /// Appends what is appendable; it has been copied when the call returns.
  /// @throws ContextError when the pool has no block left
  void append(Sequence& sequence, int tokens, const std::vector<uint8_t>& kv, const Stream& stream);

 private:
  uint8_t* staging();

  const KvPool& pool_;
  PinnedBuffer<uint8_t> staging_;  // one block; empty until the first
};

}  // namespace longview::decoder
