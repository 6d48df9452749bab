#include <cmath>

#include "attention/block_lists.h"
#include "attention/selection/list_writer.cuh"
#include "attention/selection/mass_cut.cuh"
#include "attention/selection/row_masses.cuh"
#include "attention/selection/strip_filter.h"
#include "common/cuda_error.h"

namespace longview::attention {

namespace {

constexpr int kDirections = 2;  // columns, then slashes

/// What the kernels hand on. `entries` strips of a direction and head: column j holds the blocks j
/// * strip_blocks and up; slash d holds the pairs of a tile of queries and a strip of keys d before
/// it.
struct StripBuffers {
  uint32_t* masses;  // [num_heads, 2, entries], units of 2^-26 of all sampled rows' mass
  int32_t* has_nan;  // [num_heads]
  float* factors;    // [num_heads, 64 * groups]: shares of one unit of a row's mass
  uint8_t* kept;     // [num_heads, 2, entries]
  int entries;
  size_t cleared_bytes;  // from `masses` on
  size_t bytes;

  StripBuffers(void* workspace, int num_heads, int groups, int kv_len)
      : entries(selection_blocks(kv_len)) {
    auto* next = static_cast<uint8_t*>(workspace);
    const auto take = [&](size_t count, size_t size) {
      auto* at = next;
      next += (count * size + 255) / 256 * 256;
      return static_cast<void*>(at);
    };
    const size_t strips = size_t{kDirections} * num_heads * entries;
    masses = static_cast<uint32_t*>(take(strips, sizeof(uint32_t)));
    has_nan = static_cast<int32_t*>(take(num_heads, sizeof(int32_t)));
    cleared_bytes = next - static_cast<uint8_t*>(workspace);
    factors = static_cast<float*>(
        take(size_t{1} * num_heads * kSampledGroupRows * groups, sizeof(float)));
    kept = static_cast<uint8_t*>(take(strips, sizeof(uint8_t)));
    bytes = next - static_cast<uint8_t*>(workspace);
  }
};

struct Call {
  StripFilterParams params;
  StripBuffers buffers;
  int kv_offset;
  int rows;  // sampled ones that exist, of a head
};

__device__ __forceinline__ int thread() { return static_cast<int>(threadIdx.x); }

/// The last row of a group that exists.
__device__ __forceinline__ int last_row(const Call& call, int group) {
  const SampledRows& rows = call.params.rows;
  return rows.row(group, min(kSampledGroupRows, rows.count - rows.group_start(group)) - 1);
}

__device__ __forceinline__ int scored_by(const Call& call, int group) {
  return scored_blocks(call.kv_offset + last_row(call, group), call.params.pooled_keys,
                       kSelectionBlockKeys);
}

__device__ __forceinline__ const uint16_t* row_of(const Call& call, int head, int row) {
  const int64_t index = int64_t{head} * call.params.rows.groups * kSampledGroupRows + row;
  return call.params.block_masses + index * call.params.mass_pitch;
}

/// A warp for each sampled row; the order of summation is fixed. blockIdx: rows, head.
__global__ void __launch_bounds__(kFilterThreads)
    factors_kernel(const __grid_constant__ Call call) {
  const int head = static_cast<int>(blockIdx.y);
  const int row = static_cast<int>(blockIdx.x) * kFilterWarps + thread() / 32;
  const int group = row / kSampledGroupRows;
  const bool exists = call.params.rows.row(group, row % kSampledGroupRows) < call.params.q_len;
  const int count = exists ? scored_by(call, group) : 0;
  float mass = 0.f;
  for (int first = thread() % 32 * kVector; first < count; first += 32 * kVector) {
    mass += MassVector::load(row_of(call, head, row) + first).sum(count - first);
  }
#pragma unroll
  for (int distance = 16; distance > 0; distance /= 2) {
    mass += __shfl_xor_sync(0xffffffff, mass, distance);
  }
  if (thread() % 32 != 0) return;
  if (!is_number(mass)) atomicOr(call.buffers.has_nan + head, 1);
  call.buffers.factors[head * call.params.rows.groups * kSampledGroupRows + row] =
      share_of_mass(mass) * kMassUnit / static_cast<float>(call.rows);
}

/// Adds the masses of one group of rows to the strips. blockIdx: group, head.
__global__ void __launch_bounds__(kFilterThreads) masses_kernel(const __grid_constant__ Call call) {
  const StripFilterParams& params = call.params;
  const int head = static_cast<int>(blockIdx.y);
  const int group = static_cast<int>(blockIdx.x);
  const int count = scored_by(call, group);
  const int tile = (call.kv_offset + last_row(call, group)) / kSelectionTileRows;
  const int rows = min(kSampledGroupRows, params.rows.count - params.rows.group_start(group));
  const int first_row = (head * params.rows.groups + group) * kSampledGroupRows;
  __shared__ float factors[kSampledGroupRows];
  if (thread() < rows) factors[thread()] = call.buffers.factors[first_row + thread()];
  __syncthreads();

  uint32_t* columns = call.buffers.masses + int64_t{head} * kDirections * call.buffers.entries;
  uint32_t* slashes = columns + call.buffers.entries;
  for (int first = thread() * kVector; first < count; first += kFilterThreads * kVector) {
    float shares[kVector] = {};
    for (int i = 0; i < rows; ++i) {
      const MassVector masses =
          MassVector::load(row_of(call, head, group * kSampledGroupRows + i) + first);
#pragma unroll
      for (int j = 0; j < kVector; ++j) shares[j] = fmaf(masses.mass(j), factors[i], shares[j]);
    }
#pragma unroll
    for (int j = 0; j < kVector; ++j) {
      if (first + j >= count) break;
      const uint32_t mass = __float2uint_rd(shares[j]);
      const int strip = (first + j) / params.strip_blocks;
      if (mass > 0) atomicAdd(columns + strip, mass);
      if (mass > 0 && params.slashes) atomicAdd(slashes + tile - strip, mass);
    }
  }
}

/// The smallest sets of columns and of slashes, each on its own. blockIdx: direction, head.
__global__ void __launch_bounds__(kFilterThreads, 2) cut_kernel(const __grid_constant__ Call call) {
  const StripFilterParams& params = call.params;
  const int direction = static_cast<int>(blockIdx.x);
  const int head = static_cast<int>(blockIdx.y);
  const int64_t place = (int64_t{head} * kDirections + direction) * call.buffers.entries;
  const uint32_t* masses = call.buffers.masses + place;
  uint8_t* kept = call.buffers.kept + place;
  const int length = ((call.buffers.entries + kFilterThreads - 1) / kFilterThreads);
  const int first = min(thread() * length, call.buffers.entries);
  const int end = min(first + length, call.buffers.entries);

  __shared__ MassCut::Shared shared;
  MassCut cut(shared);
  for (int i = first; i < end; ++i) cut.add(masses[i]);
  const Tally total = cut.total();
  float alpha = direction == 0 ? params.alpha_columns : params.alpha_slashes;
  if (params.head_alpha != nullptr) alpha = params.head_alpha[head];
  const auto wanted =
      __double2uint_ru(static_cast<double>(fmaxf(fminf(alpha, 1.f), 0.f)) * total.mass);
  const CutTarget target{wanted, 0, UINT32_MAX};
  const Cut found = cut.find(target);

  Tally in_bin;
  for (int i = first; i < end; ++i) {
    if (MassBins::of(masses[i]) == found.bin) in_bin = in_bin + Tally{masses[i], 1};
  }
  Tally ignored;
  Tally taken = found.above + scan_exclusive(in_bin, shared.warps, ignored);
  for (int i = first; i < end; ++i) {
    const int bin = MassBins::of(masses[i]);
    kept[i] = bin > found.bin || (bin == found.bin && !target.reached(taken));
    if (bin == found.bin) taken = taken + Tally{masses[i], 1};
  }
}

/// blockIdx: tile, head.
__global__ void __launch_bounds__(kFilterThreads) lists_kernel(const __grid_constant__ Call call) {
  const StripFilterParams& params = call.params;
  const int tile = static_cast<int>(blockIdx.x);
  const int head = static_cast<int>(blockIdx.y);
  const int first = call.kv_offset + tile * kSelectionTileRows;
  const int last = min(first + kSelectionTileRows, params.kv_len) - 1;
  const int visible = last / kSelectionBlockKeys + 1;
  const int list = head * params.tiles + tile;
  const ListWriter writer(params.blocks + int64_t{list} * params.max_blocks, params.counts + list,
                          visible);
  const float alpha = params.head_alpha == nullptr ? params.alpha_columns : params.head_alpha[head];
  if (last >= params.dense_from || alpha >= 1.f || call.rows == 0 ||
      call.buffers.has_nan[head] != 0) {
    writer.write_everything();
    return;
  }
  const int window = max(0, first - params.window_tokens) / kSelectionBlockKeys;
  const uint8_t* columns = call.buffers.kept + int64_t{head} * kDirections * call.buffers.entries;
  const uint8_t* slashes = columns + call.buffers.entries;
  const int position_tile = first / kSelectionTileRows;
  __shared__ Tally warps[kFilterWarps];
  writer.write(
      [&](int block) {
        const int strip = block / params.strip_blocks;
        return block < params.sink_blocks || block >= window || columns[strip] != 0 ||
               (params.slashes && slashes[position_tile - strip] != 0);
      },
      INFINITY, warps);
}

}  // namespace

size_t strip_filter_bytes(int num_heads, int groups, int kv_len) {
  return StripBuffers(nullptr, num_heads, groups, kv_len).bytes;
}

void filter_strips(const StripFilterParams& params, cudaStream_t stream) {
  const SampledRows& rows = params.rows;
  const int count = rows.groups == 0 ? 0
                    : rows.step == 1 ? rows.groups * kSampledGroupRows
                                     : rows.count;
  const Call call{params,
                  StripBuffers(params.workspace, params.num_heads, rows.groups, params.kv_len),
                  params.kv_len - params.q_len, count};
  LONGVIEW_CUDA(cudaMemsetAsync(call.buffers.masses, 0, call.buffers.cleared_bytes, stream));
  const auto heads = static_cast<unsigned>(params.num_heads);
  if (count > 0) {
    const unsigned row_blocks = rows.groups * kSampledGroupRows / kFilterWarps;
    factors_kernel<<<dim3(row_blocks, heads), kFilterThreads, 0, stream>>>(call);
    LONGVIEW_CUDA(cudaGetLastError());
    masses_kernel<<<dim3(rows.groups, heads), kFilterThreads, 0, stream>>>(call);
    LONGVIEW_CUDA(cudaGetLastError());
    cut_kernel<<<dim3(params.slashes ? kDirections : 1, heads), kFilterThreads, 0, stream>>>(call);
    LONGVIEW_CUDA(cudaGetLastError());
  }
  lists_kernel<<<dim3(params.tiles, heads), kFilterThreads, 0, stream>>>(call);
  LONGVIEW_CUDA(cudaGetLastError());
}

}  // namespace longview::attention
