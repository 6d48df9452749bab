// Tensor maps: the descriptions of global tensors that the copy engine (TMA) of sm_90 works from.
#pragma once

#include <cuda.h>

#include <cstdint>
#include <vector>

namespace longview {

/// A bf16 tensor in device memory and the box that one copy moves. Dimensions run from the fastest:
/// `extents[0]` elements lie side by side, `strides_bytes[i]` is the step of dimension i + 1.
struct Bf16Tensor {
  const void* data;
  std::vector<uint64_t> extents;
  std::vector<uint64_t> strides_bytes;  // one fewer than extents; multiples of 16
  std::vector<uint32_t> box;            // as many as extents; box[0] is 64, at most 256 each
};

/// Encodes maps through the driver, which is looked up at run time: nothing links libcuda.
class TensorMapEncoder {
 public:
  /// @throws CudaError where there is no driver or it is too old.
  TensorMapEncoder();

  /// A map with the 128-byte swizzle; elements outside the extents read as zero.
  /// @throws CudaError when the driver rejects the shape.
  CUtensorMap encode(const Bf16Tensor& tensor) const;

 private:
  void* encode_tiled_ = nullptr;
};

}  // namespace longview
