#include "attention/sparse/sm90/config.h"
#include "attention/sparse/sm90/launch.h"

namespace longview::attention::sm90 {

void launch_sparse_prefill(const SparseCall& call, const PrefillDevice& device,
                           cudaStream_t stream) {
  if (call.params.head_dim == SparseConfig64::kHeadDim) {
    launch<SparseConfig64>(call, device, stream);
  } else {
    launch<SparseConfig128>(call, device, stream);
  }
}

}  // namespace longview::attention::sm90
