#include "kernels/dropout.h"

#include <utility>

#include "kernels/keep.h"
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
  dropout(Cpu(), {rate, &key, site}, ones.data(), Grad<T>{y.data()}, n);
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
      const uint32_t word = philox(key.seed, uint64_t(i / 8) + (site << 32), key.step).v[i % 8 / 2];
      const uint32_t half = i % 2 == 0 ? word & 0xffff : word >> 16;
      expected.push_back(double(half) >= rate * 65536 ? double(x[size_t(i)]) / (1 - rate) : 0.0);
    }
    expect_gradient<T>(expected, [&](Grad<T> y) { dropout(Cpu(), {rate, &key, site}, x.data(), y, n); });
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
    expect_gradient<T>(expected, [&](Grad<T> y) { dropout(Cpu(), {0.25, nullptr, 0, mask.data()}, x.data(), y, n); });
  }
}

TYPED_TEST(DropoutOf, ShowsNaNEvenWhereItDrops) {
  using T = TypeParam;
  const std::vector<T> x(100, std::numeric_limits<T>::quiet_NaN());
  std::vector<T> y(100);
  const DropoutKey key{1, 2};
  dropout(Cpu(), {0.5, &key, 3}, x.data(), Grad<T>{y.data()}, 100);
  for (const T value : y) EXPECT_TRUE(std::isnan(value));
}

TYPED_TEST(DropoutOf, AnyRunOfElementsHasTheFactorsThatTheWholeHas) {
  using T = TypeParam;
  const DropoutKey key{1, 2};
  const Drop drop{0.4, &key, 5};
  const auto whole = mask_of<T>(2000, 0.4, key, 5);
  Keep<T> keep(drop);
  for (const auto& [first, n] : {std::pair{0, 512}, {1, 1}, {7, 512}, {8, 9}, {255, 300}, {1003, 511}, {1999, 1}}) {
    const T* const factors = keep.factors(first, n);
    EXPECT_EQ(std::vector<T>(factors, factors + n), std::vector<T>(whole.begin() + first, whole.begin() + first + n));
  }
}

TYPED_TEST(DropoutOf, AfterReluIsOneAfterTheOther) {
  using T = TypeParam;
  const DropoutKey key{3, 4};
  for (const int64_t n : lengths) {
    std::vector<uint8_t> mask;
    for (int64_t i = 0; i < n; ++i) mask.push_back(i % 5 < 3);
    const auto x = draw<T>(n, 1), dy = draw<T>(n, 2);
    for (const Drop& drop : {Drop{0.3, &key, 5}, Drop{0.4, nullptr, 0, mask.data()}, Drop{}}) {
      std::vector<T> relu(x.size()), expected(x.size());
      for (size_t i = 0; i < x.size(); ++i) relu[i] = std::max(x[i], T(0));
      dropout(Cpu(), drop, relu.data(), Grad<T>{expected.data()}, n);
      Output<T> y(n), in_place(n);
      relu_dropout(Cpu(), drop, x.data(), y.data(), n);
      EXPECT_EQ(y.values(), expected);
      std::copy(x.begin(), x.end(), in_place.data());
      relu_dropout(Cpu(), drop, in_place.data(), in_place.data(), n);
      EXPECT_EQ(in_place.values(), expected);
      std::vector<T> back(x.size());
      dropout(Cpu(), drop, dy.data(), Grad<T>{back.data()}, n);
      std::vector<double> dx;
      for (size_t i = 0; i < x.size(); ++i) dx.push_back(x[i] > T(0) ? double(back[i]) : 0.0);
      expect_gradient<T>(dx, [&](Grad<T> g) { relu_dropout_backward(Cpu(), drop, y.data(), dy.data(), g, n); });
    }
  }
}

TYPED_TEST(DropoutOf, AfterReluShowsNaN) {
  using T = TypeParam;
  const std::vector<T> x(100, std::numeric_limits<T>::quiet_NaN());
  std::vector<T> y(100);
  const DropoutKey key{1, 2};
  relu_dropout(Cpu(), {0.5, &key, 3}, x.data(), y.data(), 100);
  for (const T value : y) EXPECT_TRUE(std::isnan(value));
}

TYPED_TEST(DropoutOf, AfterReluDoesNotDependOnTheThreads) {
  using T = TypeParam;
  const int64_t n = 100003;
  const auto x = draw<T>(n, 1), dy = draw<T>(n, 2);
  const DropoutKey key{1, 2};
  expect_same_for_any_threads([&] {
    std::vector<T> all(size_t(2 * n));
    relu_dropout(Cpu(), {0.1, &key, 3}, x.data(), all.data(), n);
    relu_dropout_backward(Cpu(), {0.1, &key, 3}, all.data(), dy.data(), Grad<T>{all.data() + n}, n);
    return all;
  });
}

TYPED_TEST(DropoutOf, DoesNotDependOnTheThreads) {
  using T = TypeParam;
  expect_same_for_any_threads([] { return mask_of<T>(100003, 0.1, {5, 6}, 7); });
}

}  // namespace
}  // namespace kernels
