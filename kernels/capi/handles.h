// What the opaque handles of longview_attention.h own.
#pragma once

#include "attention/dense/api.h"
#include "attention/selection/api.h"
#include "attention/sparse/api.h"
#include "capi/longview_attention.h"

struct longview_dense_prefill {
  longview::attention::DensePrefill prefill;
};

struct longview_sparse_prefill {
  longview::attention::SparsePrefill prefill;
};

struct longview_selector {
  longview::attention::BlockSelector selector;
};
