#include "kernels/gemm.h"

#include <algorithm>
#include <array>

#include "tests/kernels/arrays.h"

namespace kernels {
namespace {

template <class T>
class GemmOf : public testing::Test {};
TYPED_TEST_SUITE(GemmOf, Numbers);

/// One product of m × k by k × n in f64, from operands in T.
template <class T>
std::vector<double> product(int64_t m, int64_t n, int64_t k, double alpha, Matrix<T> a, Matrix<T> b) {
  std::vector<double> c;
  for (int64_t i = 0; i < m; ++i) {
    for (int64_t j = 0; j < n; ++j) {
      double sum = 0;
      for (int64_t p = 0; p < k; ++p) {
        sum += double(a.data[a.transposed ? p * a.stride + i : i * a.stride + p]) *
               double(b.data[b.transposed ? j * b.stride + p : p * b.stride + j]);
      }
      c.push_back(alpha * sum);
    }
  }
  return c;
}

/// A matrix of rows × cols as op() sees it, stored transposed or not, with a stride beyond its width.
template <class T>
Matrix<T> matrix(const std::vector<T>& values, int64_t rows, int64_t cols, bool transposed) {
  return {values.data(), (transposed ? rows : cols) + 3, transposed};
}

TYPED_TEST(GemmOf, EqualsTheTripleLoopForEveryLayout) {
  using T = TypeParam;
  const int64_t sizes[][3] = {{1, 1, 1}, {2, 3, 5}, {17, 16, 33}, {130, 7, 65}, {7, 130, 64}, {70, 90, 131}};
  for (const auto& [m, n, k] : sizes) {
    for (const bool ta : {false, true}) {
      for (const bool tb : {false, true}) {
        SCOPED_TRACE(testing::Message() << m << " × " << k << " × " << n << (ta ? " Aᵀ" : "") << (tb ? " Bᵀ" : ""));
        const auto a_values = draw<T>((m + 3) * (k + 3), 1), b_values = draw<T>((k + 3) * (n + 3), 2);
        const Matrix<T> a = matrix(a_values, m, k, ta), b = matrix(b_values, k, n, tb);
        const auto expected = product(m, n, k, 0.5, a, b);
        Output<T> fast(m * n), plain(m * n);
        gemm(Cpu(), m, n, k, T(0.5), a, b, T(0), fast.data(), n);
        gemm_plain(m, n, k, T(0.5), a, b, T(0), plain.data(), n);
        EXPECT_LE(relative_error(fast.values(), expected), tolerance<T>);
        EXPECT_LE(relative_error(plain.values(), expected), tolerance<T>);
      }
    }
  }
}

TYPED_TEST(GemmOf, AddsToWhatIsThereAndLeavesTheGapsOfC) {
  using T = TypeParam;
  const int64_t m = 19, n = 35, k = 23, stride = n + 4;
  const auto a = draw<T>(m * k, 1), b = draw<T>(k * n, 2);
  const auto expected = product(m, n, k, 1, Matrix<T>{a.data(), k}, Matrix<T>{b.data(), n});
  std::vector<T> c(size_t(m * stride), T(2));
  gemm(Cpu(), m, n, k, T(1), Matrix<T>{a.data(), k}, Matrix<T>{b.data(), n}, T(3), c.data(), stride);
  for (int64_t i = 0; i < m; ++i) {
    for (int64_t j = 0; j < stride; ++j) {
      const double value = j < n ? 6 + expected[size_t(i * n + j)] : 2;
      ASSERT_NEAR(double(c[size_t(i * stride + j)]), value, 1e-4) << i << " " << j;
    }
  }
}

TYPED_TEST(GemmOf, WithoutInnerDimensionScalesC) {
  using T = TypeParam;
  std::vector<T> c = {1, 2, 3, 4};
  const T* const none = nullptr;
  gemm(Cpu(), 2, 2, 0, T(1), Matrix<T>{none, 1}, Matrix<T>{none, 2}, T(0.5), c.data(), 2);
  EXPECT_EQ(c, (std::vector<T>{0.5, 1, 1.5, 2}));
  gemm(Cpu(), 0, 2, 3, T(1), Matrix<T>{none, 3}, Matrix<T>{none, 2}, T(0), c.data(), 2);
  EXPECT_EQ(c, (std::vector<T>{0.5, 1, 1.5, 2}));
}

TYPED_TEST(GemmOf, BatchesAreIndependentProductsAndMayShareAnOperand) {
  using T = TypeParam;
  for (const int64_t batch : {1, 2, 7}) {
    for (const bool shared : {false, true}) {
      const int64_t m = 9, n = 20, k = 11;
      const auto a = draw<T>(batch * m * k, 1), b = draw<T>(batch * k * n, 2);
      std::vector<double> expected;
      for (int64_t p = 0; p < batch; ++p) {
        const T* const right = b.data() + (shared ? 0 : p * k * n);
        const auto one = product(m, n, k, 1, Matrix<T>{a.data() + p * m * k, k}, Matrix<T>{right, n});
        expected.insert(expected.end(), one.begin(), one.end());
      }
      Output<T> c(batch * m * n);
      gemm_batched(Cpu(), batch, m, n, k, T(1), Matrix<T>{a.data(), k}, m * k, Matrix<T>{b.data(), n},
                   shared ? 0 : k * n, T(0), c.data(), n, m * n);
      EXPECT_LE(relative_error(c.values(), expected), tolerance<T>);
    }
  }
}

TYPED_TEST(GemmOf, IsTheSameOverManyRunsOnSeveralThreads) {
  using T = TypeParam;
  const int64_t m = 300, n = 64, k = 24;
  const auto a = draw<T>(m * k, 1), b = draw<T>(k * n, 2);
  const auto run = [&] {
    std::vector<T> c(size_t(m * n));
    gemm(Cpu(), m, n, k, T(1), Matrix<T>{a.data(), k}, Matrix<T>{b.data(), n}, T(0), c.data(), n);
    return c;
  };
  set_threads(3);
  const auto first = run();
  EXPECT_LE(relative_error(first, product(m, n, k, 1, Matrix<T>{a.data(), k}, Matrix<T>{b.data(), n})), tolerance<T>);
  int64_t different = 0;
  for (int i = 0; i < 300; ++i) different += run() != first;
  set_threads(0);
  EXPECT_EQ(different, 0);
}

TYPED_TEST(GemmOf, AddsABiasAndAppliesAnActivation) {
  using T = TypeParam;
  const int64_t m = 21, n = 37, k = 19;
  const auto a = draw<T>(m * k, 1), b = draw<T>(k * n, 2), bias = draw<T>(n, 3), before = draw<T>(m * n, 4);
  for (const auto activation : {Activation::relu, Activation::elu, Activation::sigmoid}) {
    auto expected = product(m, n, k, 0.5, Matrix<T>{a.data(), k}, Matrix<T>{b.data(), n});
    for (int64_t i = 0; i < m * n; ++i) {
      double& y = expected[size_t(i)];
      y += 2 * double(before[size_t(i)]) + double(bias[size_t(i % n)]);
      with_activation(activation, [&](auto function) { y = function.value(y); });
    }
    std::vector<T> fast = before, plain = before;
    const Finish<T> finish{bias.data(), activation};
    gemm(Cpu(), m, n, k, T(0.5), Matrix<T>{a.data(), k}, Matrix<T>{b.data(), n}, T(2), fast.data(), n, finish);
    gemm_plain(m, n, k, T(0.5), Matrix<T>{a.data(), k}, Matrix<T>{b.data(), n}, T(2), plain.data(), n, finish);
    EXPECT_LE(relative_error(fast, expected), tolerance<T>);
    EXPECT_LE(relative_error(plain, expected), tolerance<T>);
  }
}

TYPED_TEST(GemmOf, CutsALongSumIntoBlocks) {
  using T = TypeParam;
  const int64_t m = 5, n = 40, k = 5000;
  const auto a = draw<T>(m * k, 1), b = draw<T>(k * n, 2), bias = draw<T>(n, 3);
  auto expected = product(m, n, k, 1, Matrix<T>{a.data(), k}, Matrix<T>{b.data(), k, true});
  for (int64_t i = 0; i < m * n; ++i)
    expected[size_t(i)] = std::max(0.0, expected[size_t(i)] + double(bias[size_t(i % n)]));
  Output<T> c(m * n);
  gemm(Cpu(), m, n, k, T(1), Matrix<T>{a.data(), k}, Matrix<T>{b.data(), k, true}, T(0), c.data(), n,
       Finish<T>{bias.data(), Activation::relu});
  EXPECT_LE(relative_error(c.values(), expected), 10 * tolerance<T>);  // a sum of 5,000
}

/// A row's result, as bits, must not depend on what it is multiplied together with.
TYPED_TEST(GemmOf, ARowIsTheSameInEveryBatch) {
  using T = TypeParam;
  const int64_t m = 45, n = 70, k = 1100;
  const auto a = draw<T>(m * k, 1), b = draw<T>(k * n, 2);
  Output<T> all(m * n);
  gemm(Cpu(), m, n, k, T(1), Matrix<T>{a.data(), k}, Matrix<T>{b.data(), n}, T(0), all.data(), n);
  const auto whole = all.values();
  for (int64_t rows = 1; rows <= m; rows += 4) {
    Output<T> some(rows * n);
    gemm(Cpu(), rows, n, k, T(1), Matrix<T>{a.data() + (m - rows) * k, k}, Matrix<T>{b.data(), n}, T(0), some.data(),
         n);
    EXPECT_EQ(some.values(), std::vector<T>(whole.end() - rows * n, whole.end())) << rows << " rows";
  }
}

TYPED_TEST(GemmOf, IsTheSameForAnyNumberOfThreads) {
  using T = TypeParam;
  for (const auto& [m, n, k] : {std::array<int64_t, 3>{300, 70, 65}, {3, 700, 1300}, {64, 64, 64}}) {
    const auto a = draw<T>(m * k, 1), b = draw<T>(k * n, 2);
    expect_same_for_any_threads([&, m = m, n = n, k = k] {
      std::vector<T> c(size_t(m * n));
      gemm(Cpu(), m, n, k, T(1), Matrix<T>{a.data(), k}, Matrix<T>{b.data(), n}, T(0), c.data(), n);
      return c;
    });
  }
}

TYPED_TEST(GemmOf, LetsNanAndInfinityThrough) {
  using T = TypeParam;
  const int64_t m = 15, n = 33, k = 9;
  auto a = draw<T>(m * k, 1);
  const auto b = draw<T>(k * n, 2);
  a[size_t(3 * k + 1)] = std::numeric_limits<T>::quiet_NaN();
  a[size_t(14 * k)] = std::numeric_limits<T>::infinity();
  Output<T> c(m * n);
  gemm(Cpu(), m, n, k, T(1), Matrix<T>{a.data(), k}, Matrix<T>{b.data(), n}, T(0), c.data(), n);
  const auto found = c.values();
  for (int64_t i = 0; i < m * n; ++i) {
    EXPECT_EQ(std::isfinite(found[size_t(i)]), i / n != 3 && i / n != 14) << i / n;
  }
}

}  // namespace
}  // namespace kernels
