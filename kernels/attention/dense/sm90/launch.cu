#include "attention/dense/sm90/config.h"
#include "attention/dense/sm90/launch.h"
#include "common/device.h"

namespace longview::attention::sm90 {

PrefillDevice make_prefill_device() {
  PrefillDevice device{device_attribute(cudaDevAttrMultiProcessorCount),
                       device_attribute(cudaDevAttrL2CacheSize), TensorMapEncoder(),
                       DeviceBuffer<uint32_t>(1)};
  LONGVIEW_CUDA(cudaMemset(device.next_tile.data(), 0, device.next_tile.size_bytes()));
  // Launches may come on streams that do not wait for the default stream.
  LONGVIEW_CUDA(cudaStreamSynchronize(nullptr));
  return device;
}

void launch_dense_prefill(const DensePrefillParams& params, const PrefillDevice& device,
                          cudaStream_t stream) {
  if (params.head_dim == PrefillConfig64::kHeadDim) {
    launch<PrefillConfig64>(params, device, stream);
  } else {
    launch<PrefillConfig128>(params, device, stream);
  }
}

}  // namespace longview::attention::sm90
