#include "kernels/dropout.h"

#include <algorithm>
#include <cmath>

#include "kernels/put.h"

namespace kernels {
namespace {

constexpr int64_t counters = 64, block = 4 * counters;

/// The random words of counters first … first + 63 of a site: philox() for all of them side by side, round by round, a
/// form that compilers vectorise for every instruction set.
void draw(uint32_t* words, const DropoutKey& key, uint64_t site, int64_t first) {
  uint32_t c0[counters], c1[counters], c2[counters], c3[counters];
  for (int64_t j = 0; j < counters; ++j) {
    const uint64_t low = (site << 32) + uint64_t(first + j);
    c0[j] = uint32_t(low), c1[j] = uint32_t(low >> 32), c2[j] = uint32_t(key.step), c3[j] = uint32_t(key.step >> 32);
  }
  uint32_t k0 = uint32_t(key.seed), k1 = uint32_t(key.seed >> 32);
  for (int round = 0; round < 10; ++round, k0 += 0x9E3779B9, k1 += 0xBB67AE85) {
#pragma omp simd
    for (int64_t j = 0; j < counters; ++j) {
      const uint64_t product0 = uint64_t(0xD2511F53) * c0[j], product1 = uint64_t(0xCD9E8D57) * c2[j];
      c0[j] = uint32_t(product1 >> 32) ^ c1[j] ^ k0, c1[j] = uint32_t(product1);
      c2[j] = uint32_t(product0 >> 32) ^ c3[j] ^ k1, c3[j] = uint32_t(product0);
    }
  }
#pragma omp simd
  for (int64_t j = 0; j < counters; ++j) {
    words[4 * j] = c0[j], words[4 * j + 1] = c1[j], words[4 * j + 2] = c2[j], words[4 * j + 3] = c3[j];
  }
}

}  // namespace

template <class T>
void dropout(Cpu cpu, const T* x, Grad<T> y, int64_t n, double rate, const DropoutKey* key, uint64_t site) {
  const uint32_t threshold = uint32_t(std::min(std::ceil(rate * 4294967296.0), 4294967295.0));
  const T kept = T(1 / (1 - rate));
  cpu.parallel((n + block - 1) / block, 8 * block, [=](int64_t begin, int64_t end) {
    alignas(64) uint32_t words[block];
    for (int64_t first = begin * block; first < std::min(end * block, n); first += block) {
      draw(words, *key, site, first / 4);
      const T* const from = x + first;
      const uint32_t* const word = words;
      put_each(OneThread(), y.at(first), std::min(block, n - first),
               [=](int64_t i) { return from[i] * (word[i] >= threshold ? kept : T(0)); });
    }
  });
}

template <class T>
void dropout_mask(Cpu cpu, const T* x, const uint8_t* mask, Grad<T> y, int64_t n, double rate) {
  const T kept = T(1 / (1 - rate));
  put_elements(cpu, y, n, 2, [=](int64_t i) { return x[i] * (mask[i] != 0 ? kept : T(0)); });
}

#define ACE_INSTANTIATE(T)                                                                     \
  template void dropout(Cpu, const T*, Grad<T>, int64_t, double, const DropoutKey*, uint64_t); \
  template void dropout_mask(Cpu, const T*, const uint8_t*, Grad<T>, int64_t, double);
ACE_INSTANTIATE(float)
ACE_INSTANTIATE(double)

}  // namespace kernels
