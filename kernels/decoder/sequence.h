// One conversation on the device: which KV blocks are its own, how long it is, how it samples.
#pragma once

#include <cstdint>
#include <optional>
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
  bool can_grow_to(int count) const;
  void shrink_to(int count);
  /// Holds the first `count` blocks of `other`, too. Only for an empty list.
  void share(const BlockList& other, int count);
  /// Puts a block of its own in place of a shared one; returns the two, or nothing where it is not
  /// shared.
  /// @throws ContextError when the pool has no block left.
  struct Replaced {
    int32_t shared;
    int32_t own;
  };
  std::optional<Replaced> make_own(int index);
  const std::vector<int32_t>& blocks() const { return blocks_; }

 private:
  BlockAllocator& allocator_;
  std::vector<int32_t> blocks_;
};

class Sequence {
 public:
  Sequence(KvPool& pool, int max_tokens);

  /// Starts with the KV of the first `tokens` tokens of `other`: their blocks belong to both until
  /// one of the two writes into the last of them. Only for an empty sequence.
  void share(const Sequence& other, int tokens, const Stream& stream);

  /// Whether the pool has room for `tokens` tokens in all.
  bool can_reserve(int tokens) const;

  /// Makes room for `tokens` tokens in all, behind blocks that are this sequence's own, and brings
  /// the block table up to date on `stream`.
  void reserve(int tokens, const Stream& stream);

  /// The block of the pool that holds `token`.
  int32_t block_of(int token) const;

  /// Forgets what lies behind the first `tokens` tokens.
  void truncate(int tokens);

  /// Starts sampling anew.
  void start_sampling(const SamplingRequest& request, const Stream& stream);

  /// Takes the sampler back to before its last choice.
  void take_back_choice(const Stream& stream);

  int length_tokens = 0;

  /// Leading tokens whose key averages are in the cache, each of this many keys. Decoded tokens and
  /// those of dense chunks have none.
  int pooled_tokens = 0;
  int pooled_keys = 0;

  /// Forgets the averages behind the first `tokens` tokens.
  void truncate_averages(int tokens);

  int candidates() const { return candidates_; }
  const int32_t* block_table() const { return table_.data(); }
  SamplerState* sampler() const { return sampler_.data(); }

  /// The decode step of this sequence; empty until the first, and after sampling starts anew.
  CudaGraph decode_graph;

 private:
  void upload_table(const Stream& stream);

  KvPool& pool_;
  BlockList blocks_;
  DeviceBuffer<int32_t> table_;
  bool is_table_stale_ = false;  // also after a call that failed half way
  DeviceBuffer<SamplerState> sampler_;
  int candidates_ = 0;
};

}  // namespace longview::decoder
