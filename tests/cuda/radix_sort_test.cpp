#include "kernels/radix_sort.h"

#include <algorithm>

#include "tests/cuda/arrays.h"

namespace kernels {
namespace {

TEST(RadixSortOnDevice, SortsByItsBitsAndKeepsTheOrderOfEquals) {
  const Cuda cuda;
  for (const int64_t n : {0, 1, 33, 2100}) {
    for (const auto& [low, high] : std::vector<std::pair<int, int>>{{32, 41}, {5, 6}, {0, 64}, {7, 7}}) {
      std::vector<uint64_t> words;
      for (int64_t i = 0; i < n; ++i) {
        const Philox4 bits = philox(3, uint64_t(i), 0);
        words.push_back(uint64_t(bits.v[0]) << 32 | bits.v[1]);
      }
      const Device<uint64_t> device_words(words), spare(radix_sort_scratch(cuda, n));
      const uint64_t* const result = radix_sort(cuda, device_words.data(), spare.data(), n, low, high);
      ASSERT_TRUE(result == device_words.data() || result == spare.data());
      auto found = result == spare.data() ? spare.values() : device_words.values();
      found.resize(size_t(n));
      std::stable_sort(words.begin(), words.end(), [low = low, high = high](uint64_t a, uint64_t b) {
        const uint64_t mask = high - low == 64 ? ~uint64_t(0) : ((uint64_t(1) << (high - low)) - 1) << low;
        return (a & mask) < (b & mask);
      });
      EXPECT_EQ(found, words) << n << " words by bits " << low << " to " << high;
    }
  }
}

}  // namespace
}  // namespace kernels
