// Questions to the current CUDA device.
#pragma once

#include "common/cuda_error.h"

namespace longview {

/// @throws CudaError where there is no device.
inline int device_attribute(cudaDeviceAttr attribute) {
  int device = 0;
  int value = 0;
  LONGVIEW_CUDA(cudaGetDevice(&device));
  LONGVIEW_CUDA(cudaDeviceGetAttribute(&value, attribute, device));
  return value;
}

}  // namespace longview
