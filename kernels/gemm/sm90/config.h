// Tile sizes and budgets of the sm_90a product.
#pragma once

#include <cstdint>

#include "common/sm90/barrier.cuh"
#include "common/sm90/warpgroup.cuh"
#include "common/sm90/wgmma.cuh"
#include "gemm/params.h"

namespace longview::gemm::sm90 {

using ::longview::sm90::kWarpgroupSize;
using ::longview::sm90::kWarpsPerWarpgroup;
using ::longview::sm90::Mbarrier;
using ::longview::sm90::RingPosition;

/// What is multiplied. Tiles are rows of 128 bytes whatever the type.
struct Bf16 {
  static constexpr int kBytes = 2;
  static constexpr bool kIsScaled = false;
  template <int kColumns>
  using Product = ::longview::sm90::Wgmma<kColumns>;
};

/// With a scale for each row of activations and of weights.
struct E4m3 {
  static constexpr int kBytes = 1;
  static constexpr bool kIsScaled = true;
  template <int kColumns>
  using Product = ::longview::sm90::WgmmaE4m3<kColumns>;
};

/// How the two computing warpgroups of a block share the work.
enum class Schedule {
  kCooperative,  // both on one tile, half of its rows each
  kPingPong,     // each on tiles of its own: one's products hide the other's epilogue
};

/// A block computes tiles of kTileM x kTileN. kClusterM blocks below and kClusterN beside each other
/// form a cluster: those beside each other share activations, those below each other weights. Each
/// loads its part of what they share for all of them, which lessens the reads from L2.
template <class Operand_, int kTileM_, int kTileN_, int kStages_, Schedule kSchedule_,
          int kClusterM_, int kClusterN_, int kOutputBuffers_>
struct Config {
  using Operand = Operand_;
  static constexpr int kTileM = kTileM_;
  static constexpr int kTileN = kTileN_;
  /// Words of two bytes, in a row of the 128-byte swizzle: two e4m3 move as one word.
  static constexpr int kTileK = 64;
  static constexpr int kStages = kStages_;
  static constexpr bool kIsPingPong = kSchedule_ == Schedule::kPingPong;
  static constexpr int kClusterM = kClusterM_;
  static constexpr int kClusterN = kClusterN_;
  static constexpr int kClusterBlocks = kClusterM * kClusterN;

  static constexpr int kConsumers = 2;
  static constexpr int kWarpgroupRows = kIsPingPong ? kTileM : kTileM / kConsumers;
  /// Rows of one wgmma; a warpgroup's rows are one slab or two.
  static constexpr int kSlabRows = 64;
  static constexpr int kSlabs = kWarpgroupRows / kSlabRows;
  static constexpr int kSlabSums = kSlabRows * kTileN / kWarpgroupSize;

  static constexpr int kThreads = (1 + kConsumers) * kWarpgroupSize;
  /// 384 threads share 64,512 registers (168 each at launch).
  static constexpr int kLoaderRegisters = 40;
  static constexpr int kConsumerRegisters = 232;

  static constexpr int kLoadedM = kTileM / kClusterN;  // rows of activations that one block loads
  static constexpr int kLoadedN = kTileN / kClusterM;  // rows of weights
  static constexpr int kStageBytes = (kTileM + kTileN) * kTileK * 2;
  /// Every warpgroup that reads a stage says so, once, to every block that loads a part of it.
  static constexpr int kReleasedBlocks = kClusterM + kClusterN - 1;
  static constexpr int kEmptyArrivals = kReleasedBlocks * (kIsPingPong ? 1 : kConsumers);

  /// Output leaves in patches of 64 rows x 64 columns through a ring of buffers per warpgroup.
  static constexpr int kPatchColumns = 64;
  static constexpr int kOutputBuffers = kOutputBuffers_;
  static_assert(kOutputBuffers >= 2, "a buffer is given back with the store after its own");
  /// What the epilogue needs of one patch's columns: a bias, or scales of gates and ups, or both
  /// scales and bias of as many columns as the output has.
  static constexpr int kColumnValues = kPatchColumns * (Operand::kIsScaled ? 2 : 1);

  /// Cluster tiles on top of each other that are computed at about the same time.
  static constexpr int kGroupTiles = 2048 / (kTileM * kClusterM);
};

template <class Config>
struct SharedStorage {
  alignas(1024) uint16_t activations[Config::kStages][Config::kTileM * Config::kTileK];
  alignas(1024) uint16_t weights[Config::kStages][Config::kTileN * Config::kTileK];
  alignas(1024) uint16_t output[Config::kConsumers][Config::kOutputBuffers]
                               [Config::kSlabRows * Config::kPatchColumns];
  alignas(16) float column_values[Config::kConsumers][Config::kOutputBuffers][Config::kColumnValues];
  Mbarrier full[Config::kStages];
  Mbarrier empty[Config::kStages];
  Mbarrier patch_full[Config::kConsumers][Config::kOutputBuffers];
  Mbarrier patch_ready[Config::kConsumers][Config::kOutputBuffers];
};

constexpr int kMaxSharedBytes = 227 * 1024;

}  // namespace longview::gemm::sm90
