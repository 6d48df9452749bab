// The sampler's random numbers: xoshiro128** (Blackman and Vigna), its state filled by splitmix32.
// The CPU backend's `random.ts` gives the same numbers from the same seed.
#pragma once

#include <cstdint>
#include <cstring>

#ifdef __CUDACC__
#define LONGVIEW_HOST_DEVICE __host__ __device__
#else
#define LONGVIEW_HOST_DEVICE
#endif

namespace longview::decoder {

/// All 64 bits of the seed count, so that 0.1 and 0.2 differ.
inline void seed_random(double seed, uint32_t (&state)[4]) {
  uint32_t halves[2];
  std::memcpy(halves, &seed, sizeof(halves));
  uint32_t counter = halves[0] ^ (halves[1] * 0x85ebca6bu);
  for (uint32_t& word : state) {
    counter += 0x9e3779b9u;
    uint32_t mixed = counter;
    mixed = (mixed ^ (mixed >> 16)) * 0x21f0aaadu;
    mixed = (mixed ^ (mixed >> 15)) * 0x735a2d97u;
    word = mixed ^ (mixed >> 15);
  }
}

LONGVIEW_HOST_DEVICE inline uint32_t rotate_left(uint32_t value, int bits) {
  return (value << bits) | (value >> (32 - bits));
}

LONGVIEW_HOST_DEVICE inline uint32_t next_random_word(uint32_t (&state)[4]) {
  const uint32_t result = rotate_left(state[1] * 5, 7) * 9;
  const uint32_t third = state[2] ^ state[0];
  const uint32_t fourth = state[3] ^ state[1];
  state[2] = third ^ (state[1] << 9);
  state[1] ^= third;
  state[0] ^= fourth;
  state[3] = rotate_left(fourth, 11);
  return result;
}

/// Uniform in [0, 1), with 53 bits; advances `state`.
LONGVIEW_HOST_DEVICE inline double next_random(uint32_t (&state)[4]) {
  const uint32_t high = next_random_word(state) >> 5;
  const uint32_t low = next_random_word(state) >> 6;
  return (high * 67108864.0 + low) / 9007199254740992.0;
}

}  // namespace longview::decoder
