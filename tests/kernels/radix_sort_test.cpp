#include "kernels/radix_sort.h"

#include <algorithm>

#include "tests/kernels/arrays.h"

namespace kernels {
namespace {

std::vector<uint64_t> draw_words(int64_t n, uint64_t seed) {
  std::vector<uint64_t> words;
  for (int64_t i = 0; i < n; ++i) {
    const Philox4 bits = philox(seed, uint64_t(i), 0);
    words.push_back(uint64_t(bits.v[0]) << 32 | bits.v[1]);
  }
  return words;
}

/// The sorted words, with guards behind both arrays.
std::vector<uint64_t> sorted(std::vector<uint64_t> words, int low, int high) {
  const int64_t n = int64_t(words.size());
  std::vector<uint64_t> spare(size_t(radix_sort_scratch(n) + 1), 77);
  words.push_back(99);
  const uint64_t* const result = radix_sort(Cpu(), words.data(), spare.data(), n, low, high);
  EXPECT_EQ(words.back(), 99u);
  EXPECT_EQ(spare.back(), 77u);
  EXPECT_TRUE(result == words.data() || result == spare.data());
  return {result, result + n};
}

TEST(RadixSort, SortsByItsBitsAndKeepsTheOrderOfEquals) {
  for (const int64_t n : {0, 1, 2, 255, 4099, 32767, 131073}) {
    for (const auto& [low, high] :
         std::vector<std::pair<int, int>>{{0, 64}, {32, 59}, {5, 6}, {40, 51}, {52, 64}, {7, 7}}) {
      const std::vector<uint64_t> words = draw_words(n, 3);
      std::vector<uint64_t> expected = words;
      const auto key = [low = low, high = high](uint64_t word) {
        return high == low ? 0 : word << (64 - high) >> (64 - high + low);
      };
      std::stable_sort(expected.begin(), expected.end(), [&](uint64_t a, uint64_t b) { return key(a) < key(b); });
      EXPECT_EQ(sorted(words, low, high), expected) << n << " words by bits " << low << " to " << high;
    }
  }
}

TEST(RadixSort, IsTheSameWithAnyNumberOfThreads) {
  const std::vector<uint64_t> words = draw_words(200000, 4);
  expect_same_for_any_threads([&] { return sorted(words, 20, 33); });
}

}  // namespace
}  // namespace kernels
