// Tile sizes, register budgets and the shared-memory plan of stage 1 on sm_90a.
#pragma once

#include <cstdint>

#include "attention/sampling/params.h"
#include "attention/sampling/pooled_keys.h"
#include "attention/sampling/sm90/staged_masses.cuh"
#include "common/sm90/barrier.cuh"
#include "common/sm90/warpgroup.cuh"

namespace longview::attention::sm90 {

using ::longview::sm90::kWarpgroupSize;
using ::longview::sm90::kWarpsPerWarpgroup;
using ::longview::sm90::Mbarrier;

/// One instantiation of the kernel: three warpgroups compute, 64 sampled rows of one head each, and
/// one more loads. While one warpgroup multiplies, the others take exponentials.
template <int kHeadDim_, int kPooledKeys_>
struct SamplingConfig {
  using Keys = PooledKeys<kPooledKeys_>;
  static constexpr int kHeadDim = kHeadDim_;
  static constexpr int kConsumers = 3;
  static constexpr int kThreads = kWarpgroupSize * (kConsumers + 1);
  static constexpr int kConsumerWarps = kConsumers * kWarpsPerWarpgroup;
  static constexpr int kStages = 3;

  // 512 threads are launched with 128 registers each.
  static constexpr int kLoaderRegisters = 40;
  static constexpr int kConsumerRegisters = 152;

  /// Where a tile has more than one block of the KV pool, its halves are multiplied in turns: while
  /// one is, exponentials of the other are taken.
  static constexpr int kParts = Keys::kSegments > 1 ? 2 : 1;
  static constexpr int kPartSegments = Keys::kSegments / kParts;

  // Rows of 128 bytes, over which TMA swizzles: wider heads are column blocks behind each other.
  static constexpr int kColumnBlock = 64;
  static constexpr int kColumnBlocks = kHeadDim / kColumnBlock;
  static constexpr int kRowBytes = 2 * kColumnBlock;
  static constexpr int kGroupColumnBlockBytes = kSampledGroupRows * kRowBytes;
  static constexpr int kGroupBytes = kColumnBlocks * kGroupColumnBlockBytes;
  static constexpr int kSegmentBytes = Keys::kSegmentRows * kRowBytes;
  static constexpr int kTileColumnBlockBytes = Keys::kTileRows * kRowBytes;
  static constexpr int kTileBytes = kColumnBlocks * kTileColumnBlockBytes;
};

template <class Config>
struct alignas(1024) SamplingStorage {
  uint8_t query[Config::kConsumers][Config::kGroupBytes];
  uint8_t key[Config::kStages][Config::kTileBytes];
  StagedMasses::Buffer masses[Config::kConsumerWarps];
  Mbarrier query_full;
  Mbarrier query_empty;
  Mbarrier key_full[Config::kStages];
  Mbarrier key_empty[Config::kStages];
};

}  // namespace longview::attention::sm90
