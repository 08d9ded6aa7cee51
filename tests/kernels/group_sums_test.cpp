#include "kernels/group_sums.h"

#include <gtest/gtest.h>

#include <vector>

namespace kernels {
namespace {

TEST(GroupSums, AddEachRowToItsGroupInOrderWithAnyNumberOfThreads) {
  const int64_t n = 900, d = 83, groups = 4;
  std::vector<float> x;
  std::vector<int32_t> labels;
  for (int64_t i = 0; i < n * d; ++i) x.push_back(1.0f / float(i % 97 + 1));
  for (int64_t i = 0; i < n; ++i) labels.push_back(int32_t(i * i % 3));  // 0 and 1 alone
  std::vector<double> expected(size_t(groups * d), 0.5);
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t c = 0; c < d; ++c) expected[size_t(labels[size_t(i)] * d + c)] += double(x[size_t(i * d + c)]);
  }
  for (const int threads : {1, 3}) {
    set_threads(threads);
    std::vector<double> sums(size_t(groups * d), 0.5);
    group_sums(Cpu(), x.data(), labels.data(), sums.data(), n, groups, d);
    EXPECT_EQ(sums, expected);
  }
  set_threads(0);
}

}  // namespace
}  // namespace kernels
