#include "kernels/dropout.h"

#include <algorithm>
#include <cmath>

#include "kernels/philox.h"
#include "kernels/put.h"

namespace kernels {
namespace {

constexpr int64_t counters = 64, block = 4 * counters;

/// Random words 4 · first … 4 · (first + 64) − 1 of a site.
void draw(uint32_t* words, const DropoutKey& key, uint64_t site, int64_t first) {
  const uint64_t seed = key.seed, step = key.step, base = (site << 32) + uint64_t(first);
#pragma omp simd
  for (int64_t j = 0; j < counters; ++j) {
    const Philox4 random = philox(seed, base + uint64_t(j), step);
    for (int word = 0; word < 4; ++word) words[4 * j + word] = random.v[word];
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
