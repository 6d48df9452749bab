// Tile sizes and budgets of the sm_90a product.
#pragma once

#include <cstdint>

#include "common/sm90/barrier.cuh"
#include "common/sm90/warpgroup.cuh"
#include "gemm/params.h"

namespace longview::gemm::sm90 {

using ::longview::sm90::kWarpgroupSize;
using ::longview::sm90::kWarpsPerWarpgroup;
using ::longview::sm90::Mbarrier;

/// A block computes 128 x 256 of the product, each of its two computing warpgroups 64 rows. Two
/// blocks that lie below each other form a cluster and share the weights: each loads half of them
/// for both, which halves the reads of weights from L2.
struct Config {
  static constexpr int kTileM = 128;
  static constexpr int kTileN = 256;
  static constexpr int kTileK = 64;  // a row of the 128-byte swizzle
  static constexpr int kStages = 4;
  static constexpr int kClusterBlocks = 2;
  static constexpr int kConsumers = 2;
  static constexpr int kWarpgroupRows = kTileM / kConsumers;
  static constexpr int kAccumulators = kWarpgroupRows * kTileN / kWarpgroupSize;
  static constexpr int kThreads = (1 + kConsumers) * kWarpgroupSize;
  /// 384 threads share 64,512 registers (168 each at launch).
  static constexpr int kLoaderRegisters = 24;
  static constexpr int kConsumerRegisters = 240;

  static constexpr int kLoadedN = kTileN / kClusterBlocks;  // weight rows that one block loads
  static constexpr int kStageBytes = (kTileM + kTileN) * kTileK * 2;
  /// Every computing warp of both blocks says when it no longer reads a stage.
  static constexpr int kEmptyArrivals = kClusterBlocks * kConsumers * kWarpsPerWarpgroup;

  /// Output leaves in blocks of 64 rows x 64 columns, two buffers for each warpgroup.
  static constexpr int kStoreColumns = 64;
  static constexpr int kStoreBuffers = 2;
};

struct SharedStorage {
  alignas(1024) uint16_t activations[Config::kStages][Config::kTileM * Config::kTileK];
  alignas(1024) uint16_t weights[Config::kStages][Config::kTileN * Config::kTileK];
  alignas(1024) uint16_t output[Config::kConsumers][Config::kStoreBuffers]
                               [Config::kWarpgroupRows * Config::kStoreColumns];
  Mbarrier full[Config::kStages];
  Mbarrier empty[Config::kStages];
};

constexpr int kMaxSharedBytes = 227 * 1024;
static_assert(sizeof(SharedStorage) <= kMaxSharedBytes);

}  // namespace longview::gemm::sm90
