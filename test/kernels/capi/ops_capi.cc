// C interface to the decoder's operations and their oracles, for tests and
// benches in Python.
#include "decoder/ops/api.h"

#include "decoder/ops/gemv/api.h"
#include "decoder/ops/rope/api.h"
#include "decoder/ops/sampling/api.h"
#include "capi/guarded.h"
#include "reference/ops.h"

using namespace longview;

#define LONGVIEW_ENQUEUE(name, Params)                                         \
  LONGVIEW_EXPORT int longview_##name(const decoder::Params *params,           \
                                      void *stream, char *message,             \
                                      int message_size) {                      \
    return capi::enqueue(decoder::name, params, stream, message,               \
                         message_size);                                        \
  }

LONGVIEW_ENQUEUE(embed, EmbeddingParams)
LONGVIEW_ENQUEUE(rms_norm, RmsNormParams)
LONGVIEW_ENQUEUE(swiglu, SwigluParams)
LONGVIEW_ENQUEUE(rope_kv, RopeKvParams)
LONGVIEW_ENQUEUE(gemv, GemvParams)
LONGVIEW_ENQUEUE(swiglu_gemv, SwigluGemvParams)
LONGVIEW_ENQUEUE(qkv_gemv, QkvGemvParams)
LONGVIEW_ENQUEUE(sample, SampleParams)

/// The scalar fields of decoder::RopeSpec.
struct PlainRopeSpec {
  int head_dim;
  double base;
  int scaling;
  double factor;
  int original_context_tokens;
  double low_frequency_factor;
  double high_frequency_factor;
  double beta_fast;
  double beta_slow;
  double attention_factor;
};

/// Fills `radians_per_position` [head_dim / 2] and `attention_factor`.
LONGVIEW_EXPORT int longview_rope_frequencies(const PlainRopeSpec *spec,
                                              double *radians_per_position,
                                              double *attention_factor,
                                              char *message, int message_size) {
  return capi::guarded(message, message_size, [&] {
    const auto frequencies = decoder::rope_frequencies(
        {spec->head_dim,
         spec->base,
         static_cast<decoder::RopeScaling>(spec->scaling),
         spec->factor,
         spec->original_context_tokens,
         spec->low_frequency_factor,
         spec->high_frequency_factor,
         spec->beta_fast,
         spec->beta_slow,
         spec->attention_factor,
         {}});
    for (const double radians : frequencies.radians_per_position) {
      *radians_per_position++ = radians;
    }
    *attention_factor = frequencies.attention_factor;
  });
}

LONGVIEW_EXPORT int
longview_fill_rope_tables(const double *radians_per_position, int pairs,
                          double attention_factor, float *cos, float *sin,
                          int positions, void *stream, char *message,
                          int message_size) {
  const decoder::RopeTableParams params{
      {{radians_per_position, radians_per_position + pairs}, attention_factor},
      cos,
      sin,
      positions};
  return capi::enqueue(decoder::fill_rope_tables, &params, stream, message,
                       message_size);
}

LONGVIEW_EXPORT void longview_seeded_sampler(double temperature, int top_k,
                                             double top_p, double seed,
                                             decoder::SamplerState *state) {
  *state = decoder::seeded_sampler(temperature, top_k, top_p, seed);
}

LONGVIEW_EXPORT int64_t longview_sample_workspace_bytes(int candidates) {
  return static_cast<int64_t>(decoder::sample_workspace_bytes(candidates));
}

LONGVIEW_EXPORT void longview_reference_rms_norm(const float *input,
                                                 const float *weight,
                                                 float *output, int tokens,
                                                 int features, float epsilon) {
  reference::rms_norm(input, weight, output, tokens, features, epsilon);
}

LONGVIEW_EXPORT void
longview_reference_matrix_vector(const float *weight, const float *input,
                                 const float *bias, const float *residual,
                                 float *output, int rows, int columns) {
  reference::matrix_vector(weight, input, bias, residual, output, rows,
                           columns);
}

LONGVIEW_EXPORT void longview_reference_swiglu(const float *gate,
                                               const float *up, float *output,
                                               int features) {
  reference::swiglu(gate, up, output, features);
}

LONGVIEW_EXPORT void
longview_reference_rotate_head(const double *radians_per_position,
                               double attention_factor, int position,
                               int is_interleaved, int head_dim, float *head) {
  reference::rotate_head(radians_per_position, attention_factor, position,
                         is_interleaved != 0, head_dim, head);
}
