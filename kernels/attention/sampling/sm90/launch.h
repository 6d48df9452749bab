// Host side of stage 1 on sm_90a.
#pragma once

#include <cuda_runtime_api.h>

#include "attention/sampling/params.h"
#include "common/tensor_map.h"

namespace longview::attention::sm90 {

struct SamplingDevice {
  int multiprocessors;
  TensorMapEncoder encoder;
};

/// The current device.
/// @throws CudaError
SamplingDevice make_sampling_device();

/// Enqueues a validated call with at least one sampled row.
/// @throws CudaError
void launch_sampling(const SamplingParams& params, const SamplingDevice& device,
                     cudaStream_t stream);

}  // namespace longview::attention::sm90
