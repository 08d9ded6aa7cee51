#pragma once
#include <cstdint>

#include "kernels/number.h"

namespace kernels {

/// Philox4x32-10 (Salmon, Moraes, Dror, Shaw: Parallel random numbers: as easy as 1, 2, 3; SC 2011). A random number is
/// a function of key and counter; there is no state, so every thread, device and backward pass can have any number of
/// the sequence at once.
struct Philox4 {
  uint32_t v[4];
};

/// 128 random bits for the counter (counter_high, counter_low) under a key. Ten rounds of: multiply words 0 and 2, mix
/// the high halves with words 1 and 3 and the round's key, cross over. Scalars alone and no branch, so that a loop over
/// counters vectorises.
ACE_HD Philox4 philox(uint64_t key, uint64_t counter_low, uint64_t counter_high) {
  constexpr uint64_t multiplier0 = 0xD2511F53, multiplier1 = 0xCD9E8D57;
  constexpr uint32_t weyl0 = 0x9E3779B9, weyl1 = 0xBB67AE85;  // golden ratio, √3 − 1
  uint32_t c0 = uint32_t(counter_low), c1 = uint32_t(counter_low >> 32);
  uint32_t c2 = uint32_t(counter_high), c3 = uint32_t(counter_high >> 32);
  const uint32_t k0 = uint32_t(key), k1 = uint32_t(key >> 32);
#ifndef __CUDACC__  // which unrolls it unasked
#pragma GCC unroll 10
#endif
  for (uint32_t round = 0; round < 10; ++round) {
    const uint64_t product0 = multiplier0 * c0, product1 = multiplier1 * c2;
    c0 = uint32_t(product1 >> 32) ^ c1 ^ (k0 + round * weyl0);
    c1 = uint32_t(product1);
    c2 = uint32_t(product0 >> 32) ^ c3 ^ (k1 + round * weyl1);
    c3 = uint32_t(product0);
  }
  return {{c0, c1, c2, c3}};
}

/// A uniform number in [0, 1) from the upper 24 bits of a word: a multiple of 2^−24, exact in f32.
ACE_HD float uniform_from(uint32_t bits) { return float(bits >> 8) * 5.9604644775390625e-8f; }

}  // namespace kernels
