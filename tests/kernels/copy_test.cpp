#include "kernels/copy.h"

#include "tests/kernels/arrays.h"

namespace kernels {
namespace {

template <class T>
class CopyOf : public testing::Test {};
TYPED_TEST_SUITE(CopyOf, Numbers);

template <class T>
std::vector<double> doubles(const std::vector<T>& x) {
  return {x.begin(), x.end()};
}

TYPED_TEST(CopyOf, CopiesEveryElement) {
  using T = TypeParam;
  for (const int64_t n : lengths) {
    const auto x = draw<T>(n, 1);
    expect_gradient<T>(doubles(x), [&](Grad<T> y) { copy(Cpu(), x.data(), y, n); });
  }
}

TYPED_TEST(CopyOf, CopiesABlockAndNothingBesideIt) {
  using T = TypeParam;
  for (const int64_t cols : {int64_t(1), int64_t(7), int64_t(33)}) {
    for (const int64_t y_stride : {cols, cols + 5}) {
      const int64_t rows = 301, x_stride = cols + 3;
      const auto x = draw<T>(rows * x_stride, 1);
      Output<T> y(rows * y_stride);
      std::fill_n(y.data(), rows * y_stride, T(9));
      copy_block(Cpu(), x.data(), x_stride, Grad<T>{y.data()}, y_stride, rows, cols);
      copy_block(Cpu(), x.data(), x_stride, Grad<T>{y.data(), true}, y_stride, rows, cols);
      for (int64_t r = 0; r < rows; ++r) {
        for (int64_t c = 0; c < y_stride; ++c) {
          ASSERT_EQ(y[r * y_stride + c], c < cols ? T(2) * x[size_t(r * x_stride + c)] : T(9)) << r << " " << c;
        }
      }
    }
  }
}

TYPED_TEST(CopyOf, TransposesEveryMatrixOfABatch) {
  using T = TypeParam;
  for (const int64_t batch : {1, 3}) {
    for (const int64_t m : {1, 15, 16, 17, 130}) {
      for (const int64_t n : {1, 16, 33, 97}) {
        const auto x = draw<T>(batch * m * n, 1);
        std::vector<double> expected(x.size());
        for (int64_t p = 0; p < batch; ++p) {
          for (int64_t i = 0; i < m; ++i) {
            for (int64_t j = 0; j < n; ++j) {
              expected[size_t((p * n + j) * m + i)] = double(x[size_t((p * m + i) * n + j)]);
            }
          }
        }
        expect_gradient<T>(expected, [&](Grad<T> y) { transpose(Cpu(), x.data(), y, batch, m, n); });
      }
    }
  }
}

TYPED_TEST(CopyOf, RepeatsWithAFactor) {
  using T = TypeParam;
  for (const int64_t outer : {1, 5}) {
    for (const int64_t count : {1, 2, 37}) {
      for (const int64_t inner : {1, 3, 65}) {
        const auto x = draw<T>(outer * inner, 1);
        std::vector<double> expected;
        for (int64_t o = 0; o < outer; ++o) {
          for (int64_t k = 0; k < count; ++k) {
            for (int64_t i = 0; i < inner; ++i) expected.push_back(0.25 * double(x[size_t(o * inner + i)]));
          }
        }
        expect_gradient<T>(expected, [&](Grad<T> y) { repeat(Cpu(), x.data(), y, outer, count, inner, T(0.25)); });
      }
    }
  }
}

TYPED_TEST(CopyOf, OfNothingIsNothing) {
  using T = TypeParam;
  Output<T> y(0);
  const T* const none = nullptr;
  copy(Cpu(), none, Grad<T>{y.data()}, 0);
  copy_block(Cpu(), none, 3, Grad<T>{y.data()}, 3, 0, 3);
  transpose(Cpu(), none, Grad<T>{y.data()}, 0, 3, 3);
  transpose(Cpu(), none, Grad<T>{y.data()}, 2, 0, 3);
  repeat(Cpu(), none, Grad<T>{y.data()}, 2, 0, 4, T(1));
}

}  // namespace
}  // namespace kernels
