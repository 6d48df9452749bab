#include "decoder/model_spec.h"

#include <algorithm>
#include <string>

#include "decoder/errors.h"

namespace longview::decoder {

namespace {

/// Sizes of matrices are multiples of this: what 16-byte loads and whole K tiles need.
constexpr int kSizeMultiple = 64;
constexpr int kMaxMatrixColumns = 24576;
constexpr int kMaxLayers = 512;
constexpr int kMaxVocabSize = 524288;
constexpr int kMaxContextTokens = 1 << 24;

void require(bool holds, const std::string& message) {
  if (!holds) throw ModelError("the model cannot run on the GPU: " + message);
}

void require_size(int size, const char* name) {
  require(size > 0 && size <= kMaxMatrixColumns && size % kSizeMultiple == 0,
          std::string("its ") + name + " is " + std::to_string(size) + ", not a multiple of " +
              std::to_string(kSizeMultiple) + " up to " + std::to_string(kMaxMatrixColumns));
}

}  // namespace

int longest_context_tokens(const ModelSpec& spec) {
  if (spec.rope.scaling != RopeScaling::kYarn) return spec.trained_context_tokens;
  const double stretched = spec.rope.original_context_tokens * spec.rope.factor;
  return std::max(spec.trained_context_tokens,
                  static_cast<int>(std::min<double>(stretched, kMaxContextTokens)));
}

void validate(const ModelSpec& spec) {
  require(spec.layers > 0 && spec.layers <= kMaxLayers,
          "it has " + std::to_string(spec.layers) + " layers");
  require(spec.head_dim == 64 || spec.head_dim == 128,
          "its heads have " + std::to_string(spec.head_dim) + " features, not 64 or 128");
  require(spec.num_kv_heads > 0 && spec.num_heads > 0 && spec.num_heads % spec.num_kv_heads == 0 &&
              spec.num_heads / spec.num_kv_heads <= 64,
          std::to_string(spec.num_heads) + " heads over " + std::to_string(spec.num_kv_heads) +
              " KV heads");
  require_size(spec.hidden_size, "hidden size");
  require_size(spec.feed_forward_size, "feed-forward size");
  require_size(spec.query_size(), "query size");
  require(spec.vocab_size > 0 && spec.vocab_size <= kMaxVocabSize,
          "its vocabulary has " + std::to_string(spec.vocab_size) + " tokens");
  require(spec.trained_context_tokens > 0 && spec.trained_context_tokens <= kMaxContextTokens,
          "its context is " + std::to_string(spec.trained_context_tokens) + " tokens");
  require(spec.norm_epsilon > 0, "its norms have no epsilon");
}

}  // namespace longview::decoder
