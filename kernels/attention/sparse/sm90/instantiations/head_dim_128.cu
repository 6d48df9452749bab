#include "attention/sparse/sm90/config.h"
#include "attention/sparse/sm90/launch.cuh"

namespace longview::attention::sm90 {

template void launch<SparseConfig128>(const SparseCall&, const PrefillDevice&, cudaStream_t);

}  // namespace longview::attention::sm90
