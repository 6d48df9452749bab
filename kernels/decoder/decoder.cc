#include "decoder/decoder.h"

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "common/kv_block.h"
#include "decoder/decode_step.h"
#include "decoder/errors.h"
#include "decoder/ops/sampling/api.h"

namespace longview::decoder {

namespace {

/// Enough for the kernels that serve many rows.
constexpr int kWarmUpTokens = 512;

int pool_positions(int context_tokens) { return kv_blocks(context_tokens) * KV_BLOCK_TOKENS; }

}  // namespace

Decoder::Decoder(const ModelSpec& spec, const TensorTable& tensors, const DecoderOptions& options,
                 const LoadControl& control)
    : Decoder(spec, options, control, plan_load(spec, tensors, options)) {}

Decoder::Decoder(const ModelSpec& spec, const DecoderOptions& options, const LoadControl& control,
                 LoadPlan load)
    : spec_(spec),
      plan_(load.memory),
      chunk_tokens_(load.sizes.chunk_tokens),
      weights_(spec_, std::move(load.layout), map_files(options.paths), control.on_progress,
               control.should_stop),
      pool_(spec_, plan_.kv_blocks),
      pooled_keys_(spec_, plan_.kv_blocks, options.pooled_keys),
      positions_(spec_.rope, pool_positions(plan_.context_tokens), stream_),
      workspace_(spec_, load.sizes),
      prefill_(spec_, options.kernels,
               options.pooled_keys > 0 ? load.sizes.chunk_tokens : 0) {
  if (options.fp8_prefill) {
    fp8_layers_.emplace(spec_, weights_, workspace_.layer_scratch(), gemm_kernel(options.kernels),
                        stream_);
  }
  warm_up();
}

/// A step that runs ahead ends before its memory is given back.
Decoder::~Decoder() { cudaStreamSynchronize(stream_.get()); }

SequenceId Decoder::open_sequence(const SamplingRequest& sampling) {
  take_back_step_ahead();
  const SequenceId id = next_id_++;
  const auto [entry, is_new] = sequences_.try_emplace(id, pool_, plan_.context_tokens);
  entry->second.start_sampling(clamped(sampling), stream_);
  return id;
}

void Decoder::close_sequence(SequenceId id) {
  sequence(id);
  take_back_step_ahead();
  sequences_.erase(id);
}

Step Decoder::prefill(SequenceId id, const std::vector<int32_t>& tokens, bool choose,
                      const std::optional<SparseRequest>& sparse, const PrefillControl& control) {
  Sequence& sequence = this->sequence(id);
  const int count = static_cast<int>(tokens.size());
  if (tokens.empty() || count > chunk_tokens_) {
    throw std::invalid_argument("a chunk of " + std::to_string(tokens.size()) + " tokens; 1 to " +
                                std::to_string(chunk_tokens_) + " are possible");
  }
  for (const int32_t token : tokens) require_token(token);
  require_room(sequence, tokens.size());
  if (sparse) require_selectable(sequence, *sparse);
  take_back_step_ahead();
  sequence.reserve(sequence.length_tokens + count, stream_);
  if (sparse) begin_averages(sequence, sparse->settings.pooled_keys);
  std::copy(tokens.begin(), tokens.end(), workspace_.host_token_ids());
  set_step(sequence, tokens.front(), count);

  begin_.record(stream_);
  try {
    prefill_.enqueue(model(), sequence, count, sparse, pacer_, control);
  } catch (const CancelledError&) {
    pacer_.drain(stream_);
    throw;
  }
  if (choose) enqueue_choice(model(), sequence, count, nullptr);
  if (sparse) fetch_block_counts(count);
  end_.record(stream_);
  pacer_.drain(stream_);
  Step step{std::nullopt, end_.elapsed_ms(begin_), prefill_.attention_ms(spec_.layers),
            std::nullopt, std::nullopt};
  if (choose) step.next = chosen(workspace_.host_sample()[0]);
  sequence.length_tokens += count;
  if (sparse) {
    sequence.pooled_tokens = sequence.length_tokens;
    const int32_t* counts = workspace_.host_block_counts();
    block_counts_.assign(counts, counts + block_counts_.size());
    step.selection_ms = prefill_.selection_ms(spec_.layers);
    step.blocks = total_blocks(block_counts_, spec_.layers * spec_.num_heads, count,
                               sequence.length_tokens);
  }
  return step;
}

Step Decoder::decode(SequenceId id, int32_t token, bool continues) {
  Sequence& sequence = this->sequence(id);
  require_token(token);
  require_room(sequence, 1);
  const int position = sequence.length_tokens;
  if (!ahead_ || ahead_->sequence != id || ahead_->token != token) {
    take_back_step_ahead();
    sequence.reserve(position + 1, stream_);
    set_step(sequence, token, 1);
    upload_step();
    launch_step(sequence, position);
  }
  ahead_.reset();
  if (continues && can_run_ahead(sequence)) {
    sequence.reserve(position + 2, stream_);
    launch_step(sequence, position + 1);
    ahead_ = {id, kNoToken};
  }
  const StepEvents& events = step_events_[position % 2];
  events.end.synchronize();
  Step step{std::nullopt, events.end.elapsed_ms(events.begin), std::nullopt, std::nullopt, std::nullopt};
  try {
    step.next = chosen(workspace_.host_sample()[position % 2]);
  } catch (const NumericError&) {
    take_back_step_ahead();
    throw;
  }
  ++sequence.length_tokens;
  if (ahead_) ahead_->token = *step.next;
  return step;
}

/// Enqueues the step whose token has `position`.
void Decoder::launch_step(Sequence& sequence, int position) {
  if (sequence.decode_graph.is_empty()) {
    sequence.decode_graph =
        CudaGraph::record(stream_, [&] { enqueue_decode_step(model(), sequence); });
  }
  StepEvents& events = step_events_[position % 2];
  events.begin.record(stream_);
  sequence.decode_graph.launch(stream_);
  events.end.record(stream_);
}

/// Whether there is room for the token under way and the one behind it.
bool Decoder::can_run_ahead(const Sequence& sequence) const {
  const int tokens = sequence.length_tokens + 2;
  return tokens <= plan_.context_tokens && sequence.can_reserve(tokens);
}

void Decoder::take_back_step_ahead() {
  if (!ahead_) return;
  Sequence& sequence = this->sequence(ahead_->sequence);
  ahead_.reset();
  stream_.synchronize();
  sequence.take_back_choice(stream_);
  sequence.truncate(sequence.length_tokens);
}

void Decoder::rewind(SequenceId id, int length_tokens, const SamplingRequest& sampling) {
  Sequence& sequence = this->sequence(id);
  if (length_tokens < 0 || length_tokens > sequence.length_tokens) {
    throw std::invalid_argument("a sequence of " + std::to_string(sequence.length_tokens) +
                                " tokens cannot be rewound to " + std::to_string(length_tokens));
  }
  take_back_step_ahead();
  sequence.truncate(length_tokens);
  sequence.start_sampling(clamped(sampling), stream_);
}

SequenceId Decoder::fork(SequenceId source, int length_tokens, const SamplingRequest& sampling) {
  const Sequence& original = sequence(source);
  if (length_tokens < 0 || length_tokens > original.length_tokens) {
    throw std::invalid_argument("the first " + std::to_string(length_tokens) +
                                " tokens of a sequence of " +
                                std::to_string(original.length_tokens) + " cannot be shared");
  }
  const SequenceId id = open_sequence(sampling);
  sequence(id).share(original, length_tokens, stream_);
  return id;
}

std::vector<uint8_t> Decoder::export_kv(SequenceId id, int start, int tokens) {
  return kv_transfer_.fetch(sequence(id), start, tokens, stream_);
}

void Decoder::import_kv(SequenceId id, int tokens, const std::vector<uint8_t>& kv) {
  Sequence& sequence = this->sequence(id);
  take_back_step_ahead();
  kv_transfer_.require_appendable(sequence, tokens, kv);
  require_room(sequence, tokens);
  kv_transfer_.append(sequence, tokens, kv, stream_);
}

std::vector<float> Decoder::logits() {
  take_back_step_ahead();
  std::vector<float> values(spec_.vocab_size);
  LONGVIEW_CUDA(cudaMemcpyAsync(values.data(), workspace_.logits(), values.size() * sizeof(float),
                                cudaMemcpyDeviceToHost, stream_.get()));
  stream_.synchronize();
  return values;
}

Model Decoder::model() const {
  return {spec_, weights_, fp8_layers_ ? &*fp8_layers_ : nullptr, pool_, pooled_keys_,
          positions_, workspace_, stream_, plan_.context_tokens};
}

Sequence& Decoder::sequence(SequenceId id) {
  const auto found = sequences_.find(id);
  if (found == sequences_.end()) {
    throw std::invalid_argument("there is no sequence " + std::to_string(id));
  }
  return found->second;
}

SamplingRequest Decoder::clamped(SamplingRequest sampling) const {
  sampling.candidates = std::clamp(sampling.candidates, 1, spec_.vocab_size);
  return sampling;
}

void Decoder::require_room(const Sequence& sequence, size_t tokens) const {
  if (tokens <= static_cast<size_t>(plan_.context_tokens - sequence.length_tokens)) return;
  throw ContextError(std::to_string(sequence.length_tokens + tokens) +
                     " tokens do not fit into the context of " +
                     std::to_string(plan_.context_tokens));
}

void Decoder::require_token(int32_t token) const {
  if (token >= 0 && token < spec_.vocab_size) return;
  throw std::invalid_argument("the token " + std::to_string(token) +
                              " is not in the vocabulary of " + std::to_string(spec_.vocab_size));
}

void Decoder::require_selectable(const Sequence& sequence, const SparseRequest& sparse) const {
  const int keys = sparse.settings.pooled_keys;
  if (!pooled_keys_.serves(keys)) {
    throw std::invalid_argument("the model was loaded without room for averages of " +
                                std::to_string(keys) + " keys");
  }
  const size_t heads = size_t{1} * spec_.layers * spec_.num_heads;
  if (!sparse.head_alpha.empty() && sparse.head_alpha.size() != heads) {
    throw std::invalid_argument("headAlpha has " + std::to_string(sparse.head_alpha.size()) +
                                " entries; the model has " + std::to_string(heads) + " query heads");
  }
  if (sequence.length_tokens % attention::kSelectionTileRows == 0) return;
  throw std::invalid_argument("a sparse chunk begins at token " +
                              std::to_string(sequence.length_tokens) + ", which is no multiple of " +
                              std::to_string(attention::kSelectionTileRows));
}

/// Before averages of `keys` keys are made for `sequence`: other averages of it are lost, and so may be
/// those of sequences that share blocks with it.
void Decoder::begin_averages(Sequence& sequence, int keys) {
  if (sequence.pooled_keys == keys) return;
  sequence.pooled_keys = keys;
  sequence.truncate_averages(0);
  for (auto& [id, other] : sequences_) {
    if (other.pooled_keys != keys) other.truncate_averages(0);
  }
}

/// Enqueues the copy of what the layers of a chunk chose.
void Decoder::fetch_block_counts(int tokens) {
  const size_t lists = size_t{1} * spec_.num_heads * attention::selection_tiles(tokens);
  block_counts_.resize(lists * spec_.layers);
  LONGVIEW_CUDA(cudaMemcpyAsync(workspace_.host_block_counts(), workspace_.block_counts(),
                                block_counts_.size() * sizeof(int32_t), cudaMemcpyDeviceToHost,
                                stream_.get()));
}

void Decoder::set_step(const Sequence& sequence, int32_t token, int tokens) const {
  StepInput& step = *workspace_.host_step();
  step.token = token;
  step.position = sequence.length_tokens;
  step.kv_len = sequence.length_tokens + tokens;
}

void Decoder::upload_step() const {
  LONGVIEW_CUDA(cudaMemcpyAsync(workspace_.step(), workspace_.host_step(), sizeof(StepInput),
                                cudaMemcpyHostToDevice, stream_.get()));
}

int32_t Decoder::chosen(const SampleResult& sample) const {
  if (sample.status == kUnusableLogit) {
    throw NumericError("the logit of token " + std::to_string(sample.token) +
                       " is NaN or infinite: the weights are damaged or overflow bf16");
  }
  if (sample.status == kNoFiniteLogit) throw NumericError("no token has a finite logit");
  return sample.token;
}

/// Runs every kernel of a step once, so that the first question does not pay for loading them, and
/// nothing is loaded while a graph is recorded.
void Decoder::warm_up() {
  const SequenceId id = open_sequence({});
  const std::vector<int32_t> tokens(std::min(chunk_tokens_, kWarmUpTokens), 0);
  prefill(id, tokens, false, std::nullopt, {});
  rewind(id, 0, {});
  if (pooled_keys_.serves(attention::SelectionSettings().pooled_keys)) {
    prefill(id, tokens, false, SparseRequest{{}, static_cast<int>(tokens.size()), {}}, {});
    rewind(id, 0, {});
  }
  Sequence& sequence = this->sequence(id);
  sequence.reserve(1, stream_);
  set_step(sequence, 0, 1);
  upload_step();
  enqueue_decode_step(model(), sequence);
  stream_.synchronize();
  close_sequence(id);
}

}  // namespace longview::decoder
