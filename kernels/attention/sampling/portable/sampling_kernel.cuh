// Stage 1 of SampleAttention by mma.sync and cp.async, for compute capability 8.0 and newer.
#pragma once

#include "attention/sampling/block_masses.cuh"
#include "attention/sampling/params.h"
#include "common/sm80/mma.cuh"

namespace longview::attention::portable {

struct SamplingKernelParams {
  const uint16_t* query;       // [q_len, num_heads, head_dim] bf16
  const uint16_t* pooled_key;  // [rows of the pool, num_kv_heads, head_dim] bf16
  const int32_t* block_table;  // or null
  uint16_t* block_masses;      // bf16 [num_heads, rows.groups * 64, pitch]
  int pitch;
  int pool_blocks;  // that hold the sequence
  int key_rows;     // of the sequence's blocks that may be read
  int num_heads;
  int num_kv_heads;
  int heads_per_kv_head;
  SampledRows rows;  // of one head
  int kv_offset;     // keys before the first query
  int q_len;
  float scale_log2;  // softmax scale * log2(e)
};

template <int kHeadDim_, int kPooledKeys_>
struct SamplingConfig {
  using Keys = PooledKeys<kPooledKeys_>;
  static constexpr int kHeadDim = kHeadDim_;
  static constexpr int kWarps = 8;
  static constexpr int kThreads = 32 * kWarps;
  /// (Group, head) pairs of a block: each is the rows of four warps.
  static constexpr int kPairs = 16 * kWarps / kSampledGroupRows;
  static constexpr int kPieceTiles = 16;  // tiles of keys that a block goes through
  static constexpr int kTileBytes = Keys::kTileRows * kHeadDim * 2;
  static constexpr int kSharedBytes = 2 * kTileBytes;
};

/// Two groups of sampled rows against a run of key tiles. blockIdx: pairs, KV head, run.
template <class Config>
class SamplingBlock {
 public:
  __device__ __forceinline__ SamplingBlock(const SamplingKernelParams& params, uint32_t shared)
      : params_(params), shared_(shared), kv_head_(static_cast<int>(blockIdx.y)) {}

  __device__ __forceinline__ void run() {
    const int first_pair = static_cast<int>(blockIdx.x) * Config::kPairs;
    const int last_group = (first_pair + Config::kPairs - 1) / params_.heads_per_kv_head;
    const int last_row =
        min(params_.rows.row(last_group, kSampledGroupRows - 1), params_.q_len - 1);
    const int tiles = max(1, (visible_to(last_row) + Keys::kTileRows - 1) / Keys::kTileRows);
    const int first_tile = static_cast<int>(blockIdx.z) * Config::kPieceTiles;
    const int end_tile = min(first_tile + Config::kPieceTiles, tiles);
    if (first_tile >= end_tile) return;
    run_tiles(first_pair + warp() / (Config::kWarps / Config::kPairs), first_tile, end_tile);
  }

 private:
  using Keys = typename Config::Keys;
  using Masses = BlockMasses<Keys::kPooledKeys, Keys::kSegments>;
  using Scores = typename Masses::Scores;
  using Tile = sm80::SwizzledTile<Config::kHeadDim>;
  static constexpr int kDepth = 16;  // of one product

  __device__ __forceinline__ void run_tiles(int pair, int first_tile, int end_tile) {
    const int group = pair / params_.heads_per_kv_head;
    const int head = kv_head_ * params_.heads_per_kv_head + pair % params_.heads_per_kv_head;
    const bool exists = group < params_.rows.groups;
    int visible[2];
    MassRows rows{{}, params_.pitch};
    const uint16_t* sources[2];
#pragma unroll
    for (int i = 0; i < 2; ++i) {
      const int in_group = warp() % 4 * 16 + lane() / 4 + 8 * i;
      const int row = params_.rows.row(group, in_group);
      visible[i] = visible_to(row);
      const int64_t place =
          (int64_t{head} * params_.rows.groups + group) * kSampledGroupRows + in_group;
      // The last block may have fewer pairs than it has room for.
      rows.rows[i] = exists ? params_.block_masses + place * params_.pitch : nullptr;
      sources[i] =
          exists && row < params_.q_len
              ? params_.query + (int64_t{row} * params_.num_heads + head) * Config::kHeadDim
              : nullptr;
    }
    load_query(sources);
    Masses masses(params_.scale_log2, visible);
    const int unmasked = visible_to(params_.rows.row(group, 0)) / Keys::kTileRows;

    // Tile 0 comes first in any case: the rows' constants are taken from there.
    const int steps = end_tile - first_tile + (first_tile > 0);
    const auto tile_of = [&](int step) {
      return first_tile > 0 ? (step == 0 ? 0 : first_tile + step - 1) : step;
    };
    fetch(0, tile_of(0));
    for (int step = 0; step < steps; ++step) {
      const int tile = tile_of(step);
      if (step + 1 < steps) {
        fetch((step + 1) & 1, tile_of(step + 1));
        sm80::wait_for_copies<1>();
      } else {
        sm80::wait_for_copies<0>();
      }
      __syncthreads();
      Scores scores;
      multiply(scores, step & 1);
      __syncthreads();
      const int first_block = tile * Keys::kTileBlocks;
      if (tile >= unmasked) masses.mask(scores, first_block);
      if (tile == 0) {
        masses.references().add(scores);
        masses.references().finish();
      }
      if (tile >= first_tile) masses.put(rows, scores, first_block);
    }
  }

  /// Starts copying a tile, as one group; what lies behind the sequence becomes zero.
  __device__ __forceinline__ void fetch(int buffer, int tile) const {
    const Tile destination{shared_ + buffer * Config::kTileBytes};
    constexpr int kRowsAtOnce = Config::kThreads / Tile::kPieces;
    const int piece = static_cast<int>(threadIdx.x) % Tile::kPieces;
    const int stride = params_.num_kv_heads * Config::kHeadDim;
    const uint16_t* source = params_.pooled_key + kv_head_ * Config::kHeadDim + 8 * piece;
#pragma unroll
    for (int i = 0; i < Keys::kTileRows; i += kRowsAtOnce) {
      const int tile_row = i + static_cast<int>(threadIdx.x) / Tile::kPieces;
      const int row = tile * Keys::kTileRows + tile_row;
      const int block = row / Keys::kPoolBlockRows;
      const bool exists = row < params_.key_rows;
      int physical = exists ? block : 0;
      if (exists && params_.block_table != nullptr) physical = __ldg(params_.block_table + block);
      const int64_t pool_row =
          int64_t{physical} * Keys::kPoolBlockRows + row % Keys::kPoolBlockRows;
      sm80::copy_16_async(destination.piece(tile_row, piece),
                          source + (exists ? pool_row * stride : 0), exists);
    }
    sm80::commit_copies();
  }

  __device__ __forceinline__ void load_query(const uint16_t* const (&sources)[2]) {
#pragma unroll
    for (int i = 0; i < Config::kHeadDim / 4; ++i) {
      const uint16_t* source = sources[i % 2];
      const int column = i / 4 * kDepth + i / 2 % 2 * 8 + lane() % 4 * 2;
      query_[i] = source == nullptr ? 0 : *reinterpret_cast<const uint32_t*>(source + column);
    }
  }

  __device__ __forceinline__ void multiply(Scores& scores, int buffer) const {
    const Tile keys{shared_ + buffer * Config::kTileBytes};
#pragma unroll
    for (float& score : scores) score = 0.f;
#pragma unroll
    for (int k = 0; k < Config::kHeadDim / kDepth; ++k) {
#pragma unroll
      for (int n = 0; n < Keys::kTileRows / 16; ++n) {
        uint32_t b[4];
        sm80::load_matrices(
            b, keys.piece(16 * n + lane() / 16 * 8 + lane() % 8, 2 * k + lane() / 8 % 2));
        sm80::multiply_add(scores + 8 * n, query_ + 4 * k, b[0], b[1]);
        sm80::multiply_add(scores + 8 * n + 4, query_ + 4 * k, b[2], b[3]);
      }
    }
  }

  /// Averages that lie wholly at or before a row of the call.
  __device__ __forceinline__ int visible_to(int row) const {
    return (params_.kv_offset + row + 1) / Keys::kPooledKeys;
  }

  static __device__ __forceinline__ int lane() { return static_cast<int>(threadIdx.x) % 32; }
  static __device__ __forceinline__ int warp() { return static_cast<int>(threadIdx.x) / 32; }

  const SamplingKernelParams& params_;
  uint32_t shared_;
  int kv_head_;
  uint32_t query_[Config::kHeadDim / 4];
};

template <class Config>
__global__ void __launch_bounds__(Config::kThreads, 1)
    sampling_kernel(const __grid_constant__ SamplingKernelParams params) {
  extern __shared__ __align__(1024) uint8_t shared[];
  SamplingBlock<Config>(params, sm80::shared_address(shared)).run();
}

}  // namespace longview::attention::portable
