#include "kernels/nearest.h"

#include "tests/cuda/arrays.h"

namespace kernels {
namespace {

template <class T>
struct Found {
  std::vector<int32_t> index;
  std::vector<T> distance;
};

template <class T>
Found<T> on_device(const std::vector<T>& x, const std::vector<T>& e, int64_t n, int64_t k, int64_t d) {
  const Device<T> device_x(x), device_e(e), distance(n), scratch(nearest_scratch(Cuda(), n, k));
  const Device<int32_t> index(n);
  nearest(Cuda(), device_x.data(), device_e.data(), index.data(), distance.data(), n, k, d, scratch.data());
  return {index.values(), distance.values()};
}

template <class T>
Found<T> plain(const std::vector<T>& x, const std::vector<T>& e, int64_t n, int64_t k, int64_t d) {
  Found<T> found{std::vector<int32_t>(static_cast<size_t>(n)), std::vector<T>(static_cast<size_t>(n))};
  nearest_plain(x.data(), e.data(), found.index.data(), found.distance.data(), n, k, d);
  return found;
}

template <class T>
class NearestOnDevice : public testing::Test {};
TYPED_TEST_SUITE(NearestOnDevice, Numbers);

TYPED_TEST(NearestOnDevice, EqualsThePlainForm) {
  for (const int64_t n : {1, 5, 18}) {
    for (const int64_t k : {1, 3, 70}) {
      for (const int64_t d : {1, 31, 64}) {
        SCOPED_TRACE(testing::Message() << n << " " << k << " " << d);
        const auto x = draw<TypeParam>(n * d, 1), e = draw<TypeParam>(k * d, 2);
        const auto found = on_device(x, e, n, k, d), expected = plain(x, e, n, k, d);
        EXPECT_EQ(found.index, expected.index);
        EXPECT_LE(relative_error(found.distance, expected.distance), device_tolerance<TypeParam>);
      }
    }
  }
}

TYPED_TEST(NearestOnDevice, FindsTheTrueNearestWhereTheProductFormLosesAllDigits) {
  const int64_t n = 40, k = 40, d = 16;
  const TypeParam small = 64 * std::numeric_limits<TypeParam>::epsilon();
  auto x = draw<TypeParam>(n * d, 3), e = draw<TypeParam>(k * d, 4);
  for (TypeParam& value : x) value = 100 + small * value * 100;
  for (TypeParam& value : e) value = 100 + small * value * 100;
  EXPECT_EQ(on_device(x, e, n, k, d).index, plain(x, e, n, k, d).index);
}

TYPED_TEST(NearestOnDevice, TiesGoToTheSmallerIndex) {
  const int64_t k = 50, d = 13;
  auto e = draw<TypeParam>(k * d, 5);
  for (int64_t i = 0; i < d; ++i) e[size_t(31 * d + i)] = e[size_t(40 * d + i)] = e[size_t(7 * d + i)];
  const std::vector<TypeParam> x(e.begin() + 40 * d, e.begin() + 41 * d);
  const auto found = on_device(x, e, 1, k, d);
  EXPECT_EQ(found.index[0], 7);
  EXPECT_EQ(found.distance[0], 0);
  EXPECT_EQ(on_device<TypeParam>({0}, {3, 1, -1, 2}, 1, 4, 1).index[0], 1);  // midway, exactly
}

TYPED_TEST(NearestOnDevice, OddNumbersAreTheCpus) {
  const TypeParam nan = std::numeric_limits<TypeParam>::quiet_NaN(), inf = std::numeric_limits<TypeParam>::infinity();
  const auto found = on_device<TypeParam>({0, 0, nan, 0, 5, 5, inf, 0}, {1, 1, 4, 4}, 4, 2, 2);
  EXPECT_EQ(found.index, (std::vector<int32_t>{0, 0, 1, 0}));
  EXPECT_TRUE(std::isnan(found.distance[1]) && std::isnan(found.distance[3]));
  EXPECT_EQ(on_device<TypeParam>({0, 9}, {nan, 8, nan, 1}, 2, 4, 1).index, (std::vector<int32_t>{3, 1}));
  for (const TypeParam unit : {TypeParam(1e25), TypeParam(1e-25)}) {  // squares overflow or vanish in f32
    const std::vector<TypeParam> x = {3 * unit, -2 * unit}, e = {-unit, unit, 3 * unit};
    EXPECT_EQ(on_device(x, e, 2, 3, 1).index, (std::vector<int32_t>{2, 0}));
  }
  EXPECT_EQ(on_device<TypeParam>({1}, {}, 1, 0, 1).index[0], 0);
}

TYPED_TEST(NearestOnDevice, TheDistanceMayBeLeftOut) {
  const auto x = draw<TypeParam>(20 * 5, 8), e = draw<TypeParam>(9 * 5, 9);
  const Device<TypeParam> device_x(x), device_e(e), scratch(nearest_scratch(Cuda(), 20, 9));
  const Device<int32_t> index(20);
  nearest<TypeParam>(Cuda(), device_x.data(), device_e.data(), index.data(), nullptr, 20, 9, 5, scratch.data());
  EXPECT_EQ(index.values(), plain(x, e, 20, 9, 5).index);
}

TYPED_TEST(NearestOnDevice, GivesTheSameBitsAgain) {
  const auto x = draw<TypeParam>(40 * 19, 6), e = draw<TypeParam>(35 * 19, 7);
  expect_same_again([&] { return on_device(x, e, 40, 35, 19).distance; });
}

TYPED_TEST(NearestOnDevice, SquaredDistancesAreThoseOfTheFormula) {
  for (const int64_t n : {1, 7, 21}) {
    for (const int64_t k : {1, 5, 8}) {
      for (const int64_t d : {1, 33}) {
        SCOPED_TRACE(testing::Message() << n << " " << k << " " << d);
        const auto x = draw<TypeParam>(n * d, 10), e = draw<TypeParam>(k * d, 11);
        const auto wide_x = as<double>(x), wide_e = as<double>(e);
        std::vector<double> expected(size_t(n * k));
        squared_distances(Cpu(), wide_x.data(), wide_e.data(), expected.data(), n, k, d);
        const Device<TypeParam> device_x(x), device_e(e), y(n * k);
        squared_distances(Cuda(), device_x.data(), device_e.data(), y.data(), n, k, d);
        EXPECT_LE(relative_error(y.values(), expected), device_tolerance<TypeParam>);
      }
    }
  }
}

}  // namespace
}  // namespace kernels
