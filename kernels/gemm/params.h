// What a matrix product needs to know about one call.
#pragma once

namespace longview::gemm {

enum class GemmKernel {
  kFastest,   // the one made for the device
  kPortable,  // the one that runs everywhere; for tests
};

/// What happens to the fp32 sums before they are rounded to bf16.
enum class Epilogue {
  kNone,
  kBias,      // + bias
  kResidual,  // + residual
  kSwiglu,    // silu(gate) * up, for each pair of gate and up
};

/// The weights of a SwiGLU product hold gates and ups in turns of this many rows: row r of the gates
/// is row `(r / 8) * 16 + r % 8`, the same row of the ups lies 8 further.
constexpr int kSwigluRowBlock = 8;

/// What `in_features` and `out_features` are multiples of.
constexpr int kFeatureMultiple = 64;

/// output = epilogue(activations * weights^T), sums in fp32. All tensors are row-major, in device
/// memory, aligned to 16 bytes. Each output row depends on its own activations alone, bit for bit.
struct GemmParams {
  const void* activations;  // bf16 [tokens, in_features]
  const void* weights;      // bf16 [out_features, in_features]
  void* output;             // bf16 [tokens, out_features], with kSwiglu [tokens, out_features / 2]
  const float* bias;        // [out_features] with kBias, else null
  const void* residual;     // bf16 [tokens, out_features] with kResidual, else null; may be `output`
  Epilogue epilogue;

  int tokens;        // >= 0; 0 does nothing
  int in_features;   // a positive multiple of kFeatureMultiple
  int out_features;  // likewise, with kSwiglu of twice that; gates and ups together
};

}  // namespace longview::gemm
