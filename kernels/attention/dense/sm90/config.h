// Tile sizes, register budgets and the shared-memory plan of the sm_90a prefill kernel.
#pragma once

#include <cstdint>

#include "common/sm90/barrier.cuh"
#include "common/sm90/warpgroup.cuh"

namespace longview::attention::sm90 {

using ::longview::sm90::kWarpgroupSize;
using ::longview::sm90::kWarpsPerWarpgroup;
using ::longview::sm90::Mbarrier;

/// One instantiation of the kernel.
///   kHeadDim      64 or 128
///   kConsumers    warpgroups that compute, 64 query rows each; one more warpgroup loads
///   kTileN        keys per K/V tile
///   kStages       K tiles, and as many V tiles, in shared memory
///   kWaitMidway   where a step waits for the values of the tile before: between the exponentials
///   of
///                 a thread's two rows, or where the assembler likes it
///   kLoaderRegisters   of each thread of the loading warpgroup
template <int kHeadDim_, int kConsumers_, int kTileN_, int kStages_, bool kWaitMidway_,
          int kLoaderRegisters_ = kConsumers_ == 2 ? 24 : 32>
struct PrefillConfig {
  static constexpr int kHeadDim = kHeadDim_;
  static constexpr int kConsumers = kConsumers_;
  static constexpr int kTileN = kTileN_;
  static constexpr int kStages = kStages_;
  static constexpr bool kWaitMidway = kWaitMidway_;

  static constexpr int kTileM = 64 * kConsumers;
  static constexpr int kThreads = kWarpgroupSize * (kConsumers + 1);
  static constexpr int kConsumerWarps = kConsumers * kWarpsPerWarpgroup;

  // Registers change hands within what the block was launched with: 384 x 168 or 512 x 128. To ask
  // for one register more than the loading warpgroup gave up is to wait for ever.
  static constexpr int kLaunchRegisters = kConsumers == 2 ? 168 : 128;
  static constexpr int kLoaderRegisters = kLoaderRegisters_;
  static constexpr int kConsumerRegisters =
      ((kConsumers + 1) * kLaunchRegisters - kLoaderRegisters) / kConsumers;
  static_assert(kLoaderRegisters % 8 == 0 && kConsumerRegisters % 8 == 0);
  static_assert(kLoaderRegisters + kConsumers * kConsumerRegisters ==
                (kConsumers + 1) * kLaunchRegisters);

  // A row of 64 bf16 fills the 128 bytes over which TMA swizzles: wider heads are stored as column
  // blocks of that width, one after the other.
  static constexpr int kColumnBlock = 64;
  static constexpr int kColumnBlocks = kHeadDim / kColumnBlock;
  static constexpr int kRowBytes = 2 * kColumnBlock;
  static constexpr int kQueryColumnBlockBytes = kTileM * kRowBytes;
  static constexpr int kKvColumnBlockBytes = kTileN * kRowBytes;
  static constexpr int kKvTileBytes = kColumnBlocks * kKvColumnBlockBytes;

  static_assert(kHeadDim % kColumnBlock == 0 && kTileN % 16 == 0);
  static_assert(kConsumers == 2 || kConsumers == 3);
};

/// Shared memory of one block. Tiles are in the 128-byte swizzle, rows of 128 bytes. `Ticket` is
/// what the loader tells the consumers of a query tile; its member `tile` is kNoTile when the work
/// is done.
template <class Config, class Ticket>
struct alignas(1024) SharedStorage {
  uint8_t query[Config::kColumnBlocks * Config::kQueryColumnBlockBytes];
  uint8_t key[Config::kStages][Config::kKvTileBytes];
  uint8_t value[Config::kStages][Config::kKvTileBytes];
  Mbarrier query_full;
  Mbarrier query_empty;
  Mbarrier key_full[Config::kStages];
  Mbarrier key_empty[Config::kStages];
  Mbarrier value_full[Config::kStages];
  Mbarrier value_empty[Config::kStages];
  Ticket ticket;  // of the query tile that `query` belongs to
};

constexpr int kNoTile = -1;
constexpr int kMaxSharedBytes = 227 * 1024;

// The instantiations in use; why these, see the notes in kernels/README.md.
using PrefillConfig64 = PrefillConfig<64, 3, 128, 2, false>;
using PrefillConfig128 = PrefillConfig<128, 2, 160, 2, true>;

}  // namespace longview::attention::sm90
