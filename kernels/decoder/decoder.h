// The model runner: weights, KV and sampling of one model on one device.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "attention/dense/api.h"
#include "decoder/kv_transfer.h"
#include "decoder/layer_pacer.h"
#include "decoder/load_plan.h"
#include "decoder/model.h"
#include "decoder/pooled_key_cache.h"
#include "decoder/prefill.h"

namespace longview::decoder {

struct LoadControl {
  std::function<void(double)> on_progress;  // fractions, on the calling thread
  std::function<bool()> should_stop;
};

struct Step {
  std::optional<int32_t> next;  // the chosen token, where one was asked for
  double device_ms;
  std::optional<double> attention_ms;  // part of it; of a prefill
  std::optional<double> selection_ms;  // part of that; of a sparse chunk
  std::optional<BlockTotals> blocks;   // of a sparse chunk
};

using SequenceId = int32_t;

/// Runs on the device that is current on the calling thread; every call on one instance comes from
/// that thread. After a failed call the sequence is as it was before, unless CUDA itself failed.
class Decoder {
 public:
  /// Plans the memory, then allocates, loads and warms up.
  /// @throws MemoryError where it does not fit; nothing was allocated then.
  /// @throws ModelError for a model that cannot run or weights that are damaged.
  /// @throws std::invalid_argument for fp8 prefill on a device that does not multiply fp8.
  /// @throws CancelledError, CudaError.
  Decoder(const ModelSpec& spec, const TensorTable& tensors, const DecoderOptions& options,
          const LoadControl& control);
  ~Decoder();

  const MemoryPlan& plan() const { return plan_; }

  SequenceId open_sequence(const SamplingRequest& sampling);
  void close_sequence(SequenceId id);

  /// Appends tokens, at most `chunk_tokens`; chooses the next one where `choose` is true. With
  /// `sparse` they begin at a multiple of 128, and each layer reads the blocks that it chooses.
  /// @throws ContextError, NumericError, CancelledError, CudaError; std::invalid_argument for a
  /// sequence or token that does not exist.
  Step prefill(SequenceId id, const std::vector<int32_t>& tokens, bool choose,
               const std::optional<SparseRequest>& sparse, const PrefillControl& control);

  /// Appends one token and chooses the next. @throws as prefill
  ///
  /// With `continues`, the step that appends the chosen token begins at once, so that the device
  /// does not wait for the caller; when it is not what is asked for next, it is taken back. Results
  /// do not depend on it.
  Step decode(SequenceId id, int32_t token, bool continues);

  /// Forgets all but the first `length_tokens` tokens and starts sampling anew.
  void rewind(SequenceId id, int length_tokens, const SamplingRequest& sampling);

  /// A new sequence with the KV of the first `length_tokens` tokens of `source`, which it shares.
  SequenceId fork(SequenceId source, int length_tokens, const SamplingRequest& sampling);

  /// KV of tokens [`start`, `start` + `tokens`), which lie in one block of the pool that starts
  /// there, as [2 * layers, tokens, num_kv_heads, head_dim] bf16: K, then V, layer by layer.
  /// @throws std::invalid_argument for any other range
  std::vector<uint8_t> export_kv(SequenceId id, int start, int tokens);

  /// Appends what `export_kv` gave, at the end of a sequence that is whole blocks long. The KV must
  /// have been made from the same tokens, by the same model with the same settings: the caller's to
  /// know.
  /// @throws ContextError; std::invalid_argument for another size or a sequence of another length
  void import_kv(SequenceId id, int tokens, const std::vector<uint8_t>& kv);

  /// Logits of the last choice, for tests; not after a step with `continues`.
  std::vector<float> logits();

  /// Blocks of each list of the last sparse chunk, [layers, heads, tiles], for tests and benches.
  const std::vector<int32_t>& block_counts() const { return block_counts_; }

 private:
  Decoder(const ModelSpec& spec, const DecoderOptions& options, const LoadControl& control,
          LoadPlan load);

  /// A decode step that runs before it was asked for.
  struct StepAhead {
    SequenceId sequence;
    int32_t token;  // that it appends; none while nobody knows
  };
  struct StepEvents {
    Event begin{true};
    Event end{true};
  };
  static constexpr int32_t kNoToken = -1;

  Model model() const;
  void launch_step(Sequence& sequence, int position);
  bool can_run_ahead(const Sequence& sequence) const;
  void take_back_step_ahead();
  Sequence& sequence(SequenceId id);
  void require_room(const Sequence& sequence, size_t tokens) const;
  void require_token(int32_t token) const;
  void require_selectable(const Sequence& sequence, const SparseRequest& sparse) const;
  void set_step(const Sequence& sequence, int32_t token, int tokens) const;
  void upload_step() const;
  int32_t chosen(const SampleResult& sample) const;
  void begin_averages(Sequence& sequence, int keys);
  void fetch_block_counts(int tokens);
  SamplingRequest clamped(SamplingRequest sampling) const;
  void warm_up();

  ModelSpec spec_;
  MemoryPlan plan_;
  int chunk_tokens_;
  Stream stream_;
  Event begin_{true};
  Event end_{true};
  StepEvents step_events_[2];  // of decode steps, in turns
  LayerPacer pacer_;
  WeightStore weights_;
  KvPool pool_;
  PooledKeyCache pooled_keys_;
  RopeTables positions_;
  Workspace workspace_;
  std::optional<Fp8Layers> fp8_layers_;
  Prefill prefill_;
  std::vector<int32_t> block_counts_;
  KvTransfer kv_transfer_{pool_};
  std::map<SequenceId, Sequence> sequences_;
  SequenceId next_id_ = 1;
  std::optional<StepAhead> ahead_;
};

}  // namespace longview::decoder
