// One call of a sparse prefill kernel.
#pragma once

#include <cstdint>

#include "attention/block_averages.h"
#include "attention/block_lists.h"
#include "attention/dense/params.h"
#include "attention/gathered_columns.h"

namespace longview::attention {

/// Validated, with q_len > 0.
struct SparseCall {
  DensePrefillParams params;
  BlockLists lists;
  GatheredColumns columns;  // `visible` is null: there are none
  BlockAverages averages;   // `dropped` is null: what is dropped does not count
  const int32_t* order;     // [num_heads * lists.tiles] in device memory, see tile_order.h
};

}  // namespace longview::attention
