#include "kernels/draw.h"

#include <cstring>

// Intrinsics, since compilers find no vector instruction for 32 × 32 → 64 bits in a plain loop.
#if defined(__SSE2__)
#include <immintrin.h>
#endif

namespace kernels {
namespace {

#if defined(__AVX512F__)
constexpr int lanes = 8;
#elif defined(__AVX2__)
constexpr int lanes = 4;
#else
constexpr int lanes = 2;
#endif

/// One word of several counters, each in the lower half of a lane; the upper halves hold what comes along.
using Words = uint64_t __attribute__((vector_size(8 * lanes)));

/// The products of the lower halves.
Words multiply(Words a, uint32_t b) {
#if defined(__AVX512F__)
  return Words(_mm512_maskz_mul_epu32(0xff, __m512i(a), _mm512_set1_epi64(b)));  // g++ 12 warns of the plain one
#elif defined(__AVX2__)
  return Words(_mm256_mul_epu32(__m256i(a), _mm256_set1_epi64x(b)));
#elif defined(__SSE2__)
  return Words(_mm_mul_epu32(__m128i(a), _mm_set1_epi64x(b)));
#else
  return (a & 0xffffffff) * uint64_t(b);
#endif
}

constexpr int side = 4;  // vectors side by side: a product takes longer than the next takes to start
constexpr int64_t pass = side * lanes;

/// `pass` counters, as philox() takes one.
void draw_pass(uint16_t* halves, uint64_t key, uint64_t low, uint64_t high) {
  Words c0[side], c1[side], c2[side], c3[side];
  for (int s = 0; s < side; ++s) {
    for (int i = 0; i < lanes; ++i) c0[s][i] = low + uint64_t(s * lanes + i);
    c1[s] = Words{} + (low >> 32), c2[s] = Words{} + high, c3[s] = Words{} + (high >> 32);
  }
  uint32_t k0 = uint32_t(key), k1 = uint32_t(key >> 32);
#pragma GCC unroll 10
  for (int round = 0; round < 10; ++round, k0 += 0x9E3779B9, k1 += 0xBB67AE85) {
#pragma GCC unroll 4
    for (int s = 0; s < side; ++s) {
      const Words product0 = multiply(c0[s], 0xD2511F53), product1 = multiply(c2[s], 0xCD9E8D57);
      c0[s] = (product1 >> 32) ^ c1[s] ^ k0, c1[s] = product1;
      c2[s] = (product0 >> 32) ^ c3[s] ^ k1, c3[s] = product0;
    }
  }
  for (int s = 0; s < side; ++s) {
    const Words first = (c0[s] & 0xffffffff) | c1[s] << 32, second = (c2[s] & 0xffffffff) | c3[s] << 32;
    uint64_t words[2 * lanes];
    for (int i = 0; i < lanes; ++i) words[2 * i] = first[i], words[2 * i + 1] = second[i];
    std::memcpy(halves + 8 * lanes * s, words, sizeof words);
  }
}

}  // namespace

void draw(uint16_t* halves, uint64_t key, uint64_t low, uint64_t high, int64_t groups) {
  static_assert(draw_group % pass == 0);
  for (int64_t first = 0; first < groups * draw_group; first += pass) {
    draw_pass(halves + 8 * first, key, low + uint64_t(first), high);
  }
}

}  // namespace kernels
