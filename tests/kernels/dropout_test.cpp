#include "kernels/dropout.h"

#include "tests/kernels/arrays.h"

namespace kernels {
namespace {

template <class T>
class DropoutOf : public testing::Test {};
TYPED_TEST_SUITE(DropoutOf, Numbers);

template <class T>
std::vector<T> mask_of(int64_t n, double rate, DropoutKey key, uint64_t site) {
  const std::vector<T> ones(size_t(n), T(1));
  std::vector<T> y(static_cast<size_t>(n));
  dropout(Cpu(), ones.data(), Grad<T>{y.data()}, n, rate, &key, site);
  return y;
}

TYPED_TEST(DropoutOf, KeepsWhatPhiloxSays) {
  using T = TypeParam;
  const DropoutKey key{0x123456789abcdef, 0x100000002};
  const uint64_t site = 0xfffffff1;
  const double rate = 0.3;
  for (const int64_t n : lengths) {
    const auto x = draw<T>(n, 1);
    std::vector<double> expected;
    for (int64_t i = 0; i < n; ++i) {
      const uint32_t word = philox(key.seed, uint64_t(i / 4) + (site << 32), key.step).v[i % 4];
      expected.push_back(double(word) >= rate * 4294967296.0 ? double(x[size_t(i)]) / (1 - rate) : 0.0);
    }
    expect_gradient<T>(expected, [&](Grad<T> y) { dropout(Cpu(), x.data(), y, n, rate, &key, site); });
  }
}

TYPED_TEST(DropoutOf, KeepsTheShareThatTheRateLeaves) {
  using T = TypeParam;
  const int64_t n = 1000000;
  for (const double rate : {0.0, 0.1, 0.5, 0.9}) {
    int64_t kept = 0;
    double total = 0;
    for (const T value : mask_of<T>(n, rate, {1, 2}, 3)) kept += value != T(0), total += double(value);
    EXPECT_NEAR(double(kept) / double(n), 1 - rate, 4 * std::sqrt(rate * (1 - rate) / double(n)));
    EXPECT_NEAR(total / double(n), 1, 0.02) << "the mean stays";
  }
}

TYPED_TEST(DropoutOf, EverySeedStepAndSiteHasAMaskOfItsOwn) {
  using T = TypeParam;
  const int64_t n = 10000;
  const auto mask = mask_of<T>(n, 0.5, {1, 2}, 3);
  EXPECT_EQ(mask, mask_of<T>(n, 0.5, {1, 2}, 3));
  for (const auto& other :
       {mask_of<T>(n, 0.5, {2, 2}, 3), mask_of<T>(n, 0.5, {1, 3}, 3), mask_of<T>(n, 0.5, {1, 2}, 4),
        mask_of<T>(n, 0.5, {uint64_t(1) << 32, 2}, 3), mask_of<T>(n, 0.5, {1, uint64_t(2) << 32}, 3)}) {
    int64_t same = 0;
    for (size_t i = 0; i < mask.size(); ++i) same += mask[i] == other[i];
    EXPECT_NEAR(double(same) / double(n), 0.5, 0.025);
  }
}

TYPED_TEST(DropoutOf, TakesAGivenMask) {
  using T = TypeParam;
  for (const int64_t n : lengths) {
    const auto x = draw<T>(n, 1);
    std::vector<uint8_t> mask;
    std::vector<double> expected;
    for (int64_t i = 0; i < n; ++i) {
      mask.push_back(i % 3 == 0 ? 0 : 1);
      expected.push_back(mask.back() != 0 ? double(x[size_t(i)]) / 0.75 : 0.0);
    }
    expect_gradient<T>(expected, [&](Grad<T> y) { dropout_mask(Cpu(), x.data(), mask.data(), y, n, 0.25); });
  }
}

TYPED_TEST(DropoutOf, ShowsNaNEvenWhereItDrops) {
  using T = TypeParam;
  const std::vector<T> x(100, std::numeric_limits<T>::quiet_NaN());
  std::vector<T> y(100);
  const DropoutKey key{1, 2};
  dropout(Cpu(), x.data(), Grad<T>{y.data()}, 100, 0.5, &key, 3);
  for (const T value : y) EXPECT_TRUE(std::isnan(value));
}

TYPED_TEST(DropoutOf, DoesNotDependOnTheThreads) {
  using T = TypeParam;
  expect_same_for_any_threads([] { return mask_of<T>(100003, 0.1, {5, 6}, 7); });
}

}  // namespace
}  // namespace kernels
