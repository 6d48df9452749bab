// One conversation on the device: which KV blocks are its own, how long it is, how it samples.
#pragma once

#include <cstdint>
#include <vector>

#include "common/device_buffer.h"
#include "common/stream.h"
#include "decoder/cuda_graph.h"
#include "decoder/kv_pool.h"
#include "decoder/ops/sampling/params.h"

namespace longview::decoder {

/// How the tokens of a sequence are chosen.
struct SamplingRequest {
  double temperature = 0.0;
  double top_p = 1.0;
  int top_k = 0;
  double seed = 0.0;
  int candidates = 0;  // ids from here on are never chosen
};

/// Blocks of a sequence, first to last. Gives them back at its end.
class BlockList {
 public:
  explicit BlockList(BlockAllocator& allocator) : allocator_(allocator) {}
  BlockList(const BlockList&) = delete;
  BlockList& operator=(const BlockList&) = delete;
  ~BlockList() { shrink_to(0); }

  /// Takes blocks until there are `count`; returns whether it took any.
  /// @throws ContextError when the pool has too few, and then has taken none.
  bool grow_to(int count);
  void shrink_to(int count);
  const std::vector<int32_t>& blocks() const { return blocks_; }

 private:
  BlockAllocator& allocator_;
  std::vector<int32_t> blocks_;
};

class Sequence {
 public:
  Sequence(BlockAllocator& allocator, int max_tokens);

  /// Makes room for `tokens` tokens in all and brings the block table up to date on `stream`.
  void reserve(int tokens, const Stream& stream);

  /// Forgets what lies behind the first `tokens` tokens.
  void truncate(int tokens);

  /// Starts sampling anew.
  void start_sampling(const SamplingRequest& request, const Stream& stream);

  int length_tokens = 0;

  /// Leading tokens whose key averages are in the cache, each of this many keys. Decoded tokens and
  /// those of dense chunks have none.
  int pooled_tokens = 0;
  int pooled_keys = 0;

  int candidates() const { return candidates_; }
  const int32_t* block_table() const { return table_.data(); }
  SamplerState* sampler() const { return sampler_.data(); }

  /// The decode step of this sequence; empty until the first, and after sampling starts anew.
  CudaGraph decode_graph;

 private:
  BlockList blocks_;
  DeviceBuffer<int32_t> table_;
  DeviceBuffer<SamplerState> sampler_;
  int candidates_ = 0;
};

}  // namespace longview::decoder
