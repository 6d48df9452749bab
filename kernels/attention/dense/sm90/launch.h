// Host side of the sm_90a prefill kernel.
#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>

#include "attention/dense/params.h"
#include "common/device_buffer.h"
#include "common/tensor_map.h"

namespace longview::attention::sm90 {

/// What launches on one device need. Launches share the tile counter, so they must follow one
/// another: one stream at a time.
struct PrefillDevice {
  int multiprocessors;
  int l2_bytes;
  TensorMapEncoder encoder;
  DeviceBuffer<uint32_t> next_tile;  // [1], zero between launches
};

/// The current device.
/// @throws CudaError
PrefillDevice make_prefill_device();

/// Picks the instantiation for a validated call with q_len > 0 and enqueues it.
/// @throws CudaError
void launch_dense_prefill(const DensePrefillParams& params, const PrefillDevice& device,
                          cudaStream_t stream);

/// Tile plan and launch of one instantiation; each is compiled in a file of its own.
template <class Config>
void launch(const DensePrefillParams& params, const PrefillDevice& device, cudaStream_t stream);

}  // namespace longview::attention::sm90
