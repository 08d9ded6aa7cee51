#include "kernels/reduce.h"

#include "tests/kernels/arrays.h"

namespace kernels {
namespace {

template <class T>
class ReduceOf : public testing::Test {};
TYPED_TEST_SUITE(ReduceOf, Numbers);

TYPED_TEST(ReduceOf, SumsOverTheMiddleDimension) {
  using T = TypeParam;
  for (const int64_t outer : {1, 2, 67}) {
    for (const int64_t count : {0, 1, 3, 64, 515}) {
      for (const int64_t inner : {1, 2, 17, 129, 300}) {
        const auto x = draw<T>(outer * count * inner, 1, -1, 3);
        std::vector<double> expected(size_t(outer * inner));
        for (int64_t o = 0; o < outer; ++o) {
          for (int64_t k = 0; k < count; ++k) {
            for (int64_t i = 0; i < inner; ++i) {
              expected[size_t(o * inner + i)] += 0.5 * double(x[size_t((o * count + k) * inner + i)]);
            }
          }
        }
        Output<T> y(outer * inner);
        sum(Cpu(), x.data(), y.data(), outer, count, inner, T(0.5));
        EXPECT_LE(relative_error(y.values(), expected), tolerance<T>) << outer << " " << count << " " << inner;
      }
    }
  }
}

TYPED_TEST(ReduceOf, LongSumsKeepTheirDigits) {
  using T = TypeParam;
  const int64_t n = 3000003;
  const std::vector<T> x(size_t(n), T(0.1));
  const double expected = double(n) * double(T(0.1));
  T y = 0;
  sum(Cpu(), x.data(), &y, 1, n, 1, T(1));
  // Every addend alike: all roundings of a block go the same way, the worst there is. A plain f32 loop is off by 3e-2.
  EXPECT_NEAR(double(y), expected, 10 * tolerance<T> * expected);
  std::vector<T> columns(3);
  sum_rows(Cpu(), x.data(), 3, Grad<T>{columns.data()}, n / 3, 3);
  for (const T value : columns) EXPECT_NEAR(double(value), expected / 3, 10 * tolerance<T> * expected / 3);
  EXPECT_NEAR(sum_of_squares(Cpu(), x.data(), n), double(n) * double(T(0.1)) * double(T(0.1)), 1e-9 * double(n));
}

TYPED_TEST(ReduceOf, SumsTheColumnsOfAMatrixWithAStride) {
  using T = TypeParam;
  for (const int64_t rows : {0, 1, 127, 129, 1000}) {
    for (const int64_t cols : {1, 15, 128, 129, 300}) {
      const int64_t stride = cols + 2;
      const auto x = draw<T>(rows * stride, 1, -1, 3);
      std::vector<double> expected(static_cast<size_t>(cols));
      for (int64_t r = 0; r < rows; ++r) {
        for (int64_t c = 0; c < cols; ++c) expected[size_t(c)] += double(x[size_t(r * stride + c)]);
      }
      expect_gradient<T>(expected, [&](Grad<T> y) { sum_rows(Cpu(), x.data(), stride, y, rows, cols); });
    }
  }
}

TYPED_TEST(ReduceOf, SumOfSquaresIsInDoublePrecision) {
  using T = TypeParam;
  for (const int64_t n : {int64_t(0), int64_t(1), int64_t(1023), int64_t(1025), int64_t(70001)}) {
    const auto x = draw<T>(n, 1);
    double expected = 0;
    for (const T value : x) expected += double(value) * double(value);
    EXPECT_NEAR(sum_of_squares(Cpu(), x.data(), n), expected, 1e-12 * expected);
  }
  const std::vector<T> large(10, T(1e30));
  EXPECT_NEAR(sum_of_squares(Cpu(), large.data(), 10), 1e61, 1e55);  // beyond f32
}

TYPED_TEST(ReduceOf, DoesNotDependOnTheThreads) {
  using T = TypeParam;
  const int64_t n = 300007;
  const auto x = draw<T>(n, 1);
  expect_same_for_any_threads([&] {
    std::vector<T> y(1000);
    sum(Cpu(), x.data(), y.data(), 1, n, 1, T(1));
    sum(Cpu(), x.data(), y.data() + 1, 71, 4200, 1, T(1));
    sum(Cpu(), x.data(), y.data() + 100, 3, 300, 250, T(1));
    sum_rows(Cpu(), x.data(), 140, Grad<T>{y.data() + 850}, 2100, 139);
    return y;
  });
  expect_same_for_any_threads([&] { return std::vector<double>{sum_of_squares(Cpu(), x.data(), n)}; });
}

}  // namespace
}  // namespace kernels
