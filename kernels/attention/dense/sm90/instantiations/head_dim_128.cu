#include "attention/dense/sm90/launch.cuh"

namespace longview::attention::sm90 {

template void launch<PrefillConfig128>(const DensePrefillParams&, const PrefillDevice&,
                                       cudaStream_t);

}  // namespace longview::attention::sm90
