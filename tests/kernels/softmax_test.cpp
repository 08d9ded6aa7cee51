#include "kernels/softmax.h"

#include "tests/kernels/arrays.h"

namespace kernels {
namespace {

template <class T>
class SoftmaxOf : public testing::Test {};
TYPED_TEST_SUITE(SoftmaxOf, Numbers);

/// log-softmax by its formula, in f64.
template <class T>
std::vector<double> log_softmax_of(const std::vector<T>& x, int64_t rows, int64_t cols) {
  std::vector<double> y;
  for (int64_t r = 0; r < rows; ++r) {
    double best = -INFINITY, total = 0;
    for (int64_t c = 0; c < cols; ++c) best = std::max(best, double(x[size_t(r * cols + c)]));
    for (int64_t c = 0; c < cols; ++c) total += std::exp(double(x[size_t(r * cols + c)]) - best);
    for (int64_t c = 0; c < cols; ++c) y.push_back(double(x[size_t(r * cols + c)]) - best - std::log(total));
  }
  return y;
}

TYPED_TEST(SoftmaxOf, IsItsFormulas) {
  using T = TypeParam;
  for (const int64_t rows : {1, 3, 40}) {
    for (const int64_t cols : lengths) {
      SCOPED_TRACE(testing::Message() << rows << " × " << cols);
      const int64_t n = rows * cols;
      const auto x = draw<T>(n, 1, -5, 5), dy = draw<T>(n, 2);
      const auto log_y = log_softmax_of(x, rows, cols);
      std::vector<double> y, dx, dx_log;
      for (const double value : log_y) y.push_back(std::exp(value));
      for (int64_t r = 0; r < rows; ++r) {
        double dot = 0, total = 0;
        for (int64_t i = r * cols; i < (r + 1) * cols; ++i) {
          dot += y[size_t(i)] * double(dy[size_t(i)]), total += double(dy[size_t(i)]);
        }
        for (int64_t i = r * cols; i < (r + 1) * cols; ++i) {
          dx.push_back(y[size_t(i)] * (double(dy[size_t(i)]) - dot));
          dx_log.push_back(double(dy[size_t(i)]) - y[size_t(i)] * total);
        }
      }
      Output<T> found(n), found_log(n);
      softmax(Cpu(), x.data(), found.data(), rows, cols);
      log_softmax(Cpu(), x.data(), found_log.data(), rows, cols);
      const double limit = (cols > 500 ? 10 : 1) * tolerance<T>;  // long sums, where loops are not vectorised
      EXPECT_LE(relative_error(found.values(), y), limit);
      EXPECT_LE(relative_error(found_log.values(), log_y), limit);
      expect_gradient<T>(
          dx, [&](Grad<T> g) { softmax_backward(Cpu(), found.data(), dy.data(), g, rows, cols); }, limit);
      expect_gradient<T>(
          dx_log, [&](Grad<T> g) { log_softmax_backward(Cpu(), found_log.data(), dy.data(), g, rows, cols); }, limit);
    }
  }
}

TYPED_TEST(SoftmaxOf, DoesNotOverflow) {
  using T = TypeParam;
  const std::vector<T> x = {1000, 999, -1000, T(-INFINITY)};
  std::vector<T> y(4), log_y(4);
  softmax(Cpu(), x.data(), y.data(), 1, 4);
  log_softmax(Cpu(), x.data(), log_y.data(), 1, 4);
  EXPECT_NEAR(double(y[0]), 1 / (1 + std::exp(-1.0)), 1e-6);
  EXPECT_EQ(y[2], T(0));
  EXPECT_EQ(y[3], T(0));
  EXPECT_NEAR(double(log_y[2]), -2000 - std::log1p(std::exp(-1.0)), 1e-3);
  EXPECT_EQ(log_y[3], T(-INFINITY));
}

TYPED_TEST(SoftmaxOf, ShowsNaNInItsRowAlone) {
  using T = TypeParam;
  for (const int64_t cols : {3, 33}) {
    for (int64_t at = 0; at < cols; ++at) {
      auto x = draw<T>(2 * cols, 1);
      x[size_t(at)] = std::numeric_limits<T>::quiet_NaN();
      std::vector<T> y(static_cast<size_t>(2 * cols));
      softmax(Cpu(), x.data(), y.data(), 2, cols);
      for (int64_t i = 0; i < 2 * cols; ++i) EXPECT_EQ(std::isnan(y[size_t(i)]), i < cols) << at << " " << i;
    }
  }
}

TYPED_TEST(SoftmaxOf, DoesNotDependOnTheThreads) {
  using T = TypeParam;
  const int64_t rows = 301, cols = 131, n = rows * cols;
  const auto x = draw<T>(n, 1), dy = draw<T>(n, 2);
  expect_same_for_any_threads([&] {
    std::vector<T> all(size_t(4 * n));
    softmax(Cpu(), x.data(), all.data(), rows, cols);
    softmax_backward(Cpu(), all.data(), dy.data(), Grad<T>{all.data() + n}, rows, cols);
    log_softmax(Cpu(), x.data(), all.data() + 2 * n, rows, cols);
    log_softmax_backward(Cpu(), all.data() + 2 * n, dy.data(), Grad<T>{all.data() + 3 * n}, rows, cols);
    return all;
  });
}

}  // namespace
}  // namespace kernels
