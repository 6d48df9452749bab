#include "attention/dense/sm90/launch.cuh"

namespace longview::attention::sm90 {

template void launch<PrefillConfig64>(const DensePrefillParams&, const PrefillDevice&,
                                      cudaStream_t);

}  // namespace longview::attention::sm90
