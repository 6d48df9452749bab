// Choosing a token from logits on the current CUDA device.
#pragma once

#include <cuda_runtime_api.h>

#include "decoder/ops/sampling/params.h"

namespace longview::decoder {

/// The state at the start of an answer. `seed` is any number; all bits of its double count.
/// The same seed gives the same random numbers as `seededRandom` of the CPU backend.
SamplerState seeded_sampler(double temperature, int top_k, double top_p, double seed);

size_t sample_workspace_bytes(int candidates);

/// Enqueues the choice of one token, as the CPU backend's `Sampler` chooses it: greedy at
/// temperature 0, else by temperature, then top-k, then top-p over what top-k leaves; the lowest id
/// among equals. Weights are summed as integers of 2^-44 of the likeliest token's weight, so
/// results are repeatable.
/// @throws std::invalid_argument for parameters outside the limits of SampleParams.
/// @throws CudaError when a launch fails.
void sample(const SampleParams& params, cudaStream_t stream);

}  // namespace longview::decoder
