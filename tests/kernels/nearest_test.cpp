#include "kernels/nearest.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "kernels/philox.h"

namespace kernels {
namespace {

constexpr float nan_value = std::numeric_limits<float>::quiet_NaN();

/// n numbers, normal enough: sums of uniforms.
template <class T>
std::vector<T> draw(int64_t n, uint64_t seed) {
  std::vector<T> values;
  for (int64_t i = 0; i < n; ++i) {
    const Philox4 bits = philox(seed, uint64_t(i), 0);
    values.push_back(T(uniform_from(bits.v[0]) + uniform_from(bits.v[1]) + uniform_from(bits.v[2]) - 1.5f));
  }
  return values;
}

template <class T>
struct Result {
  std::vector<int32_t> index;
  std::vector<T> distance;
};

/// The fast form, with scratch poisoned and a guard behind every output.
template <class T>
Result<T> fast(const std::vector<T>& x, const std::vector<T>& e, int64_t n, int64_t k, int64_t d) {
  Result<T> result{std::vector<int32_t>(size_t(n + 1), 77), std::vector<T>(size_t(n + 1), T(77))};
  std::vector<T> scratch(size_t(nearest_scratch(Cpu(), n, k) + 1), std::numeric_limits<T>::quiet_NaN());
  scratch.back() = 77;
  nearest(Cpu(), x.data(), e.data(), result.index.data(), result.distance.data(), n, k, d, scratch.data());
  EXPECT_EQ(scratch.back(), T(77));
  EXPECT_EQ(result.index.back(), 77);
  EXPECT_EQ(result.distance.back(), T(77));
  result.index.pop_back();
  result.distance.pop_back();
  return result;
}

template <class T>
Result<T> plain(const std::vector<T>& x, const std::vector<T>& e, int64_t n, int64_t k, int64_t d) {
  Result<T> result{std::vector<int32_t>(static_cast<size_t>(n)), std::vector<T>(static_cast<size_t>(n))};
  nearest_plain(x.data(), e.data(), result.index.data(), result.distance.data(), n, k, d);
  return result;
}

template <class T>
class Nearest : public testing::Test {};
using Numbers = testing::Types<float, double>;
TYPED_TEST_SUITE(Nearest, Numbers);

TYPED_TEST(Nearest, EqualsThePlainFormBitForBit) {
  for (int64_t n : {1, 2, 63, 65, 1100}) {
    for (int64_t k : {1, 3, 17, 128}) {
      for (int64_t d : {1, 2, 31, 64}) {
        const auto x = draw<TypeParam>(n * d, 1), e = draw<TypeParam>(k * d, 2);
        const auto found = fast(x, e, n, k, d), expected = plain(x, e, n, k, d);
        EXPECT_EQ(found.index, expected.index) << n << " " << k << " " << d;
        EXPECT_EQ(found.distance, expected.distance) << n << " " << k << " " << d;
      }
    }
  }
}

TYPED_TEST(Nearest, FindsTheTrueNearestWhereTheProductFormLosesAllDigits) {
  // Codes that differ by a few units in the last place, far from the origin: ‖e‖² − 2 x·e rounds to noise.
  const int64_t n = 200, k = 40, d = 16;
  auto x = draw<TypeParam>(n * d, 3), e = draw<TypeParam>(k * d, 4);
  const TypeParam small = 64 * std::numeric_limits<TypeParam>::epsilon();
  for (TypeParam& value : x) value = 100 + small * value * 100;
  for (TypeParam& value : e) value = 100 + small * value * 100;
  const auto found = fast(x, e, n, k, d), expected = plain(x, e, n, k, d);
  EXPECT_EQ(found.index, expected.index);
  EXPECT_EQ(found.distance, expected.distance);
}

TYPED_TEST(Nearest, TiesGoToTheSmallerIndex) {
  const int64_t k = 50, d = 13;
  auto e = draw<TypeParam>(k * d, 5);
  for (int64_t i = 0; i < d; ++i) e[size_t(31 * d + i)] = e[size_t(40 * d + i)] = e[size_t(7 * d + i)];
  const std::vector<TypeParam> x(e.begin() + 40 * d, e.begin() + 41 * d);
  const auto found = fast(x, e, 1, k, d);
  EXPECT_EQ(found.index[0], 7);
  EXPECT_EQ(found.distance[0], 0);
  // Midway between two codes, exactly.
  EXPECT_EQ(fast<TypeParam>({0}, {3, 1, -1, 2}, 1, 4, 1).index[0], 1);
}

TYPED_TEST(Nearest, IsTheSameWithAnyNumberOfThreads) {
  const int64_t n = 700, k = 128, d = 48;
  const auto x = draw<TypeParam>(n * d, 6), e = draw<TypeParam>(k * d, 7);
  set_threads(1);
  const auto one = fast(x, e, n, k, d);
  set_threads(3);
  const auto three = fast(x, e, n, k, d);
  set_threads(0);
  EXPECT_EQ(one.index, three.index);
  EXPECT_EQ(one.distance, three.distance);
}

TYPED_TEST(Nearest, TheDistanceMayBeLeftOut) {
  const auto x = draw<TypeParam>(20 * 5, 8), e = draw<TypeParam>(9 * 5, 9);
  std::vector<int32_t> index(20);
  std::vector<TypeParam> scratch(static_cast<size_t>(nearest_scratch(Cpu(), 20, 9)));
  nearest<TypeParam>(Cpu(), x.data(), e.data(), index.data(), nullptr, 20, 9, 5, scratch.data());
  EXPECT_EQ(index, plain(x, e, 20, 9, 5).index);
}

TEST(NearestOfOddNumbers, ARowWithoutAFiniteDistanceHasDistanceNaN) {
  const float infinite = std::numeric_limits<float>::infinity();
  const auto found = fast<float>({0, 0, nan_value, 0, 5, 5, infinite, 0}, {1, 1, 4, 4}, 4, 2, 2);
  EXPECT_EQ(found.index, (std::vector<int32_t>{0, 0, 1, 0}));
  EXPECT_TRUE(std::isnan(found.distance[1]));
  EXPECT_TRUE(std::isnan(found.distance[3]));
}

TEST(NearestOfOddNumbers, ACodeThatIsNotANumberIsNeverTheNearest) {
  EXPECT_EQ(fast<float>({0, 9}, {nan_value, 8, nan_value, 1}, 2, 4, 1).index, (std::vector<int32_t>{3, 1}));
}

TEST(NearestOfOddNumbers, NormsThatOverflowOrUnderflowAreComparedExactly) {
  EXPECT_EQ(fast<float>({3e25f, -2e25f}, {-1e25f, 1e25f, 3e25f}, 2, 3, 1).index, (std::vector<int32_t>{2, 0}));
  EXPECT_EQ(fast<float>({3e-25f, -2e-25f}, {-1e-25f, 1e-25f, 3e-25f}, 2, 3, 1).index, (std::vector<int32_t>{2, 0}));
}

TEST(NearestOfOddNumbers, ThereMayBeNoRowsAndNoCodes) {
  EXPECT_TRUE(fast<float>({}, {1, 2}, 0, 2, 1).index.empty());
  EXPECT_EQ(fast<float>({1}, {}, 1, 0, 1).index[0], 0);
}

TYPED_TEST(Nearest, SquaredDistancesAreThoseOfTheFormula) {
  const int64_t n = 7, k = 5, d = 33;
  const auto x = draw<TypeParam>(n * d, 10), e = draw<TypeParam>(k * d, 11);
  std::vector<TypeParam> y(size_t(n * k));
  squared_distances(Cpu(), x.data(), e.data(), y.data(), n, k, d);
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t j = 0; j < k; ++j) {
      double expected = 0;
      for (int64_t c = 0; c < d; ++c)
        expected += std::pow(double(x[size_t(i * d + c)]) - double(e[size_t(j * d + c)]), 2);
      EXPECT_NEAR(double(y[size_t(i * k + j)]), expected, 1e-5 * expected);
    }
  }
}

}  // namespace
}  // namespace kernels
