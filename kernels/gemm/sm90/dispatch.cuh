// Which configuration of the sm_90a kernel computes a product.
//
// The card runs at its power limit, so the larger the tile, the less is read for a product, the faster.
// But the larger tiles are cooperative, and what hides an epilogue is ping-pong. Every configuration gives
// the same bits: which one it is may depend on the shape.
#pragma once

#include "gemm/sm90/launch.cuh"

namespace longview::gemm::sm90 {

template <class Operand>
struct Configurations;

template <>
struct Configurations<Bf16> {
  /// Sums of many steps: epilogues are a small part of a tile's time.
  using Deep = Config<Bf16, 256, 192, 3, Schedule::kCooperative, 1, 2, 3>;
  /// Sums of few steps.
  using Narrow = Config<Bf16, 128, 192, 4, Schedule::kPingPong, 2, 1, 4>;
  /// Where `Narrow` would reach further over the last column. With buffers for a whole tile's output.
  using Wide = Config<Bf16, 128, 256, 3, Schedule::kCooperative, 2, 1, 4>;
  /// SwiGLU, whose epilogue is the longest.
  using Gated = Config<Bf16, 128, 128, 5, Schedule::kPingPong, 1, 2, 4>;
};

/// A tile takes half the steps, so ping-pong pays more often.
template <>
struct Configurations<E4m3> {
  using Deep = Config<E4m3, 256, 192, 3, Schedule::kCooperative, 1, 2, 3>;
  using Narrow = Config<E4m3, 128, 192, 4, Schedule::kPingPong, 1, 2, 3>;
  using Wide = Config<E4m3, 128, 128, 5, Schedule::kPingPong, 1, 2, 3>;
  using Gated = Wide;
};

constexpr int kDeepSteps = 64;

/// Columns that the tiles over a product of `columns` columns have together.
template <class Config>
int tiled(int columns) {
  constexpr int kWidth = Config::kTileN * Config::kClusterN;
  return tiles(columns, kWidth) * kWidth;
}

/// @throws CudaError when the launch fails.
template <class Operand, Epilogue kEpilogue>
void dispatch(const Product& product, const GemmDevice& device, cudaStream_t stream) {
  using Choice = Configurations<Operand>;
  if constexpr (kEpilogue == Epilogue::kSwiglu) {
    return launch<typename Choice::Gated, kEpilogue>(product, device, stream);
  } else {
    const int columns = product.out_features;
    const int narrow = tiled<typename Choice::Narrow>(columns);
    const int wide = tiled<typename Choice::Wide>(columns);
    if constexpr (kEpilogue == Epilogue::kResidual) {
      const bool is_deep = k_steps<typename Choice::Deep>(product) >= kDeepSteps;
      if (is_deep && tiled<typename Choice::Deep>(columns) <= std::min(narrow, wide)) {
        return launch<typename Choice::Deep, kEpilogue>(product, device, stream);
      }
    }
    if (narrow <= wide) {
      return launch<typename Choice::Narrow, kEpilogue>(product, device, stream);
    }
    launch<typename Choice::Wide, kEpilogue>(product, device, stream);
  }
}

/// @throws CudaError when the launch fails.
template <class Operand>
void dispatch(const Product& product, const GemmDevice& device, cudaStream_t stream) {
  switch (product.epilogue) {
    case Epilogue::kNone:
      return dispatch<Operand, Epilogue::kNone>(product, device, stream);
    case Epilogue::kBias:
      return dispatch<Operand, Epilogue::kBias>(product, device, stream);
    case Epilogue::kResidual:
      return dispatch<Operand, Epilogue::kResidual>(product, device, stream);
    case Epilogue::kSwiglu:
      return dispatch<Operand, Epilogue::kSwiglu>(product, device, stream);
  }
}

}  // namespace longview::gemm::sm90
