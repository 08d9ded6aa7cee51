#include "kernels/group_sums.h"

#include "tests/cuda/arrays.h"

namespace kernels {
namespace {

/// Groups within a chunk, over several, and without a row.
TEST(GroupSumsOnDevice, AreTheCpus) {
  for (const int64_t n : {1, 63, 64, 129, 500}) {
    for (const int64_t groups : {1, 3, 400}) {
      const int64_t d = 37;
      std::vector<int32_t> labels;
      for (int64_t i = 0; i < n; ++i) labels.push_back(int32_t(i * i % groups));
      const auto x = draw<float>(n * d, 1);
      const auto before = draw<double>(groups * d, 2);
      std::vector<double> expected = before;
      group_sums(Cpu(), x.data(), labels.data(), expected.data(), n, groups, d);
      const Device<float> device_x(x);
      const Device<int32_t> device_labels(labels);
      expect_same_again([&] {
        const Device<double> sums(before);
        group_sums(Cuda(), device_x.data(), device_labels.data(), sums.data(), n, groups, d);
        const auto values = sums.values();
        EXPECT_LE(relative_error(values, expected), 1e-14) << n << " rows, " << groups << " groups";
        return values;
      });
    }
  }
}

}  // namespace
}  // namespace kernels
