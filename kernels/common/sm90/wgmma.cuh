// Warpgroup matrix products (wgmma) of sm_90a: bf16 or e4m3 operands, fp32 accumulators in
// registers.
//
// A warpgroup multiplies a 64 x 16 slice of A by a 16 x N slice of B per instruction, with e4m3 64
// x 32 by 32 x N, the same bytes. Accumulator layout, with lane = 4 * g + t of warp w: element 4 *
// j + {0, 1} lies at row 16 * w + g, columns 8 * j + 2 * t + {0, 1}; element 4 * j + {2, 3} at row
// 16 * w + g + 8, the same columns.
#pragma once

#include <cstdint>

#include "common/sm90/barrier.cuh"

namespace longview::sm90 {

/// Descriptor of an operand in shared memory, stored in rows of 128 bytes with the 128-byte
/// swizzle that TMA writes. Row blocks of 8 lie 1024 bytes apart. `column_block_bytes` is the
/// distance between blocks of 64 columns; only an operand read across its rows (transposed) uses
/// it.
__device__ __forceinline__ uint64_t swizzled_descriptor(const void* shared,
                                                        uint32_t column_block_bytes) {
  constexpr uint64_t kSwizzle128 = uint64_t{1} << 62;
  constexpr uint64_t kRowBlockStride = uint64_t{1024 >> 4} << 32;
  const uint64_t column_stride = static_cast<uint64_t>(column_block_bytes >> 4) << 16;
  return kSwizzle128 | kRowBlockStride | column_stride | ((shared_address(shared) & 0x3FFFF) >> 4);
}

/// The same descriptor `bytes` further on.
__device__ __forceinline__ uint64_t advance_descriptor(uint64_t descriptor, uint32_t bytes) {
  return descriptor + (bytes >> 4);
}

/// Orders earlier register writes before the products issued next.
__device__ __forceinline__ void wgmma_fence() {
  asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
}

/// Closes the group of products issued since the last commit.
__device__ __forceinline__ void wgmma_commit() {
  asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");
}

/// Waits until at most `kPending` groups are unfinished.
template <int kPending>
__device__ __forceinline__ void wgmma_wait() {
  asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(kPending) : "memory");
}

/// Keeps the compiler from moving uses of `registers` across this point. The products run
/// asynchronously, so a read that drifts above the wait would see unfinished values.
template <int kCount>
__device__ __forceinline__ void pin_registers(float (&registers)[kCount]) {
#pragma unroll
  for (int i = 0; i < kCount; ++i) asm volatile("" : "+f"(registers[i])::"memory");
}

template <int kCount>
__device__ __forceinline__ void pin_registers(uint32_t (&registers)[kCount]) {
#pragma unroll
  for (int i = 0; i < kCount; ++i) asm volatile("" : "+r"(registers[i])::"memory");
}

/// Products with an N-column accumulator; specialised below for the widths in use.
template <int kColumns>
struct Wgmma;

// clang-format off
#define LONGVIEW_ACC_4(d, i) "+f"(d[i]), "+f"(d[i + 1]), "+f"(d[i + 2]), "+f"(d[i + 3])
#define LONGVIEW_ACC_16(d, i) \
  LONGVIEW_ACC_4(d, i), LONGVIEW_ACC_4(d, i + 4), LONGVIEW_ACC_4(d, i + 8), LONGVIEW_ACC_4(d, i + 12)
#define LONGVIEW_ACC_32(d) LONGVIEW_ACC_16(d, 0), LONGVIEW_ACC_16(d, 16)
#define LONGVIEW_ACC_40(d) LONGVIEW_ACC_32(d), LONGVIEW_ACC_4(d, 32), LONGVIEW_ACC_4(d, 36)
#define LONGVIEW_ACC_64(d) LONGVIEW_ACC_32(d), LONGVIEW_ACC_16(d, 32), LONGVIEW_ACC_16(d, 48)
#define LONGVIEW_ACC_80(d) LONGVIEW_ACC_64(d), LONGVIEW_ACC_16(d, 64)
#define LONGVIEW_ACC_96(d) LONGVIEW_ACC_80(d), LONGVIEW_ACC_16(d, 80)
#define LONGVIEW_ACC_128(d) LONGVIEW_ACC_96(d), LONGVIEW_ACC_16(d, 96), LONGVIEW_ACC_16(d, 112)

#define LONGVIEW_REGS_32 \
  "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15" ", " \
  "%16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31"
#define LONGVIEW_REGS_40 LONGVIEW_REGS_32 ", %32, %33, %34, %35, %36, %37, %38, %39"
#define LONGVIEW_REGS_64 LONGVIEW_REGS_32 ", " \
  "%32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47" ", " \
  "%48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, %62, %63"
#define LONGVIEW_REGS_80 LONGVIEW_REGS_64 ", " \
  "%64, %65, %66, %67, %68, %69, %70, %71, %72, %73, %74, %75, %76, %77, %78, %79"
#define LONGVIEW_REGS_96 LONGVIEW_REGS_80 ", " \
  "%80, %81, %82, %83, %84, %85, %86, %87, %88, %89, %90, %91, %92, %93, %94, %95"
#define LONGVIEW_REGS_128 LONGVIEW_REGS_96 ", " \
  "%96, %97, %98, %99, %100, %101, %102, %103, %104, %105, %106, %107, %108, %109, %110, %111" ", " \
  "%112, %113, %114, %115, %116, %117, %118, %119, %120, %121, %122, %123, %124, %125, %126, %127"

// R is the count of accumulator registers; O0 to O5 are the operand numbers that follow them.
#define LONGVIEW_WGMMA(N, R, O0, O1, O2, O3, O4, O5)                                               \
  template <>                                                                                      \
  struct Wgmma<N> {                                                                                \
    /* d = (accumulate ? d : 0) + A * B^T; A [64, 16] and B [N, 16], both in shared memory. */     \
    static __device__ __forceinline__ void shared_by_rows(float (&d)[R], uint64_t a, uint64_t b,   \
                                                          bool accumulate) {                       \
      asm volatile(                                                                                \
          "{\n.reg .pred p;\nsetp.ne.b32 p, " O2 ", 0;\n"                                         \
          "wgmma.mma_async.sync.aligned.m64n" #N "k16.f32.bf16.bf16 {" LONGVIEW_REGS_##R "}, "     \
          O0 ", " O1 ", p, 1, 1, 0, 0;\n}\n"                                                       \
          : LONGVIEW_ACC_##R(d)                                                                    \
          : "l"(a), "l"(b), "r"(static_cast<int>(accumulate)));                                    \
    }                                                                                              \
    /* d = (accumulate ? d : 0) + A * B; A [64, 16] in registers, B [16, N] in shared memory. */   \
    static __device__ __forceinline__ void registers_by_columns(                                   \
        float (&d)[R], uint32_t a0, uint32_t a1, uint32_t a2, uint32_t a3, uint64_t b,             \
        bool accumulate) {                                                                         \
      asm volatile(                                                                                \
          "{\n.reg .pred p;\nsetp.ne.b32 p, " O5 ", 0;\n"                                         \
          "wgmma.mma_async.sync.aligned.m64n" #N "k16.f32.bf16.bf16 {" LONGVIEW_REGS_##R "}, "     \
          "{" O0 ", " O1 ", " O2 ", " O3 "}, " O4 ", p, 1, 1, 1;\n}\n"                             \
          : LONGVIEW_ACC_##R(d)                                                                    \
          : "r"(a0), "r"(a1), "r"(a2), "r"(a3), "l"(b), "r"(static_cast<int>(accumulate)));        \
    }                                                                                              \
  };

LONGVIEW_WGMMA(64, 32, "%32", "%33", "%34", "%35", "%36", "%37")
LONGVIEW_WGMMA(80, 40, "%40", "%41", "%42", "%43", "%44", "%45")
LONGVIEW_WGMMA(128, 64, "%64", "%65", "%66", "%67", "%68", "%69")
LONGVIEW_WGMMA(160, 80, "%80", "%81", "%82", "%83", "%84", "%85")
LONGVIEW_WGMMA(192, 96, "%96", "%97", "%98", "%99", "%100", "%101")
LONGVIEW_WGMMA(256, 128, "%128", "%129", "%130", "%131", "%132", "%133")

/// Products of e4m3; specialised below for the widths in use. The sums keep fewer bits than fp32 between
/// the steps (about 14).
template <int kColumns>
struct WgmmaE4m3;

#define LONGVIEW_WGMMA_E4M3(N, R, O0, O1, O2)                                                      \
  template <>                                                                                      \
  struct WgmmaE4m3<N> {                                                                            \
    /* d = (accumulate ? d : 0) + A * B^T; A [64, 32] and B [N, 32], both in shared memory. */     \
    static __device__ __forceinline__ void shared_by_rows(float (&d)[R], uint64_t a, uint64_t b,   \
                                                          bool accumulate) {                       \
      asm volatile(                                                                                \
          "{\n.reg .pred p;\nsetp.ne.b32 p, " O2 ", 0;\n"                                         \
          "wgmma.mma_async.sync.aligned.m64n" #N "k32.f32.e4m3.e4m3 {" LONGVIEW_REGS_##R "}, "     \
          O0 ", " O1 ", p, 1, 1;\n}\n"                                                             \
          : LONGVIEW_ACC_##R(d)                                                                    \
          : "l"(a), "l"(b), "r"(static_cast<int>(accumulate)));                                    \
    }                                                                                              \
  };

LONGVIEW_WGMMA_E4M3(128, 64, "%64", "%65", "%66")
LONGVIEW_WGMMA_E4M3(192, 96, "%96", "%97", "%98")
LONGVIEW_WGMMA_E4M3(256, 128, "%128", "%129", "%130")

#undef LONGVIEW_WGMMA
#undef LONGVIEW_WGMMA_E4M3
#undef LONGVIEW_ACC_4
#undef LONGVIEW_ACC_16
#undef LONGVIEW_ACC_32
#undef LONGVIEW_ACC_40
#undef LONGVIEW_ACC_64
#undef LONGVIEW_ACC_80
#undef LONGVIEW_ACC_96
#undef LONGVIEW_ACC_128
#undef LONGVIEW_REGS_32
#undef LONGVIEW_REGS_40
#undef LONGVIEW_REGS_64
#undef LONGVIEW_REGS_80
#undef LONGVIEW_REGS_96
#undef LONGVIEW_REGS_128
// clang-format on

}  // namespace longview::sm90
