#include "kernels/layer_norm.h"

#include "tests/kernels/arrays.h"

namespace kernels {
namespace {

/// Everything of the op by its formulas, in f64.
struct Expected {
  std::vector<double> y, mean, rstd, dx, dweight, dbias;
};

template <class T>
Expected expected(const std::vector<T>& x, const std::vector<T>& w, const std::vector<T>& b, const std::vector<T>& dy,
                  int64_t rows, int64_t cols, double epsilon) {
  Expected e{{}, {}, {}, {}, std::vector<double>(size_t(cols)), std::vector<double>(size_t(cols))};
  for (int64_t r = 0; r < rows; ++r) {
    const T *xr = x.data() + r * cols, *dyr = dy.data() + r * cols;
    double mean = 0, variance = 0, g = 0, gx = 0;
    for (int64_t c = 0; c < cols; ++c) mean += double(xr[c]) / double(cols);
    for (int64_t c = 0; c < cols; ++c) variance += std::pow(double(xr[c]) - mean, 2) / double(cols);
    const double rstd = 1 / std::sqrt(variance + epsilon);
    const auto hat = [&](int64_t c) { return (double(xr[c]) - mean) * rstd; };
    for (int64_t c = 0; c < cols; ++c) {
      const double wdy = double(w[size_t(c)]) * double(dyr[c]);
      g += wdy / double(cols), gx += wdy * hat(c) / double(cols);
      e.y.push_back(hat(c) * double(w[size_t(c)]) + double(b[size_t(c)]));
      e.dweight[size_t(c)] += double(dyr[c]) * hat(c), e.dbias[size_t(c)] += double(dyr[c]);
    }
    for (int64_t c = 0; c < cols; ++c) {
      e.dx.push_back(rstd * (double(w[size_t(c)]) * double(dyr[c]) - g - hat(c) * gx));
    }
    e.mean.push_back(mean), e.rstd.push_back(rstd);
  }
  return e;
}

template <class T>
class LayerNormOf : public testing::Test {};
TYPED_TEST_SUITE(LayerNormOf, Numbers);

TYPED_TEST(LayerNormOf, IsItsFormulas) {
  using T = TypeParam;
  for (const int64_t rows : {1, 3, 131}) {
    for (const int64_t cols : {2, 7, 64, 131}) {
      SCOPED_TRACE(testing::Message() << rows << " × " << cols);
      const int64_t n = rows * cols;
      const auto x = draw<T>(n, 1, -1, 3), w = draw<T>(cols, 2), b = draw<T>(cols, 3), dy = draw<T>(n, 4);
      const Expected e = expected(x, w, b, dy, rows, cols, 1e-2);
      Output<T> y(n), mean(rows), rstd(rows);
      layer_norm(Cpu(), x.data(), w.data(), b.data(), y.data(), mean.data(), rstd.data(), rows, cols, T(1e-2));
      EXPECT_LE(relative_error(y.values(), e.y), tolerance<T>);
      EXPECT_LE(relative_error(mean.values(), e.mean), tolerance<T>);
      EXPECT_LE(relative_error(rstd.values(), e.rstd), tolerance<T>);
      const Grad<T> none;
      const auto backward = [&](Grad<T> dx, Grad<T> dweight, Grad<T> dbias) {
        layer_norm_backward(Cpu(), x.data(), w.data(), mean.data(), rstd.data(), dy.data(), dx, dweight, dbias, rows,
                            cols);
      };
      const double limit = 5 * tolerance<T>;  // differences of terms larger than they are
      expect_gradient<T>(
          e.dx, [&](Grad<T> g) { backward(g, none, none); }, limit);
      expect_gradient<T>(
          e.dweight, [&](Grad<T> g) { backward(none, g, none); }, limit);
      expect_gradient<T>(
          e.dbias, [&](Grad<T> g) { backward(none, none, g); }, limit);
      backward(none, none, none);
    }
  }
}

TYPED_TEST(LayerNormOf, MomentsMayBeLeftOut) {
  using T = TypeParam;
  const auto x = draw<T>(35, 1), w = draw<T>(5, 2), b = draw<T>(5, 3);
  std::vector<T> with(35), without(35), mean(7), rstd(7);
  layer_norm(Cpu(), x.data(), w.data(), b.data(), with.data(), mean.data(), rstd.data(), 7, 5, T(1e-5));
  layer_norm<T>(Cpu(), x.data(), w.data(), b.data(), without.data(), nullptr, nullptr, 7, 5, T(1e-5));
  EXPECT_EQ(with, without);
}

TYPED_TEST(LayerNormOf, KeepsItsDigitsFarFromZero) {
  using T = TypeParam;
  const int64_t cols = 256;
  auto x = draw<T>(cols, 1);
  const std::vector<T> w(size_t(cols), 1), b(size_t(cols), 0);
  for (T& value : x) value += 1000;  // mean(x²) − mean² would keep one digit of the variance in f32
  Output<T> y(cols);
  layer_norm<T>(Cpu(), x.data(), w.data(), b.data(), y.data(), nullptr, nullptr, 1, cols, T(1e-5));
  EXPECT_LE(relative_error(y.values(), expected(x, w, b, x, 1, cols, 1e-5).y), sizeof(T) == 4 ? 1e-3 : 1e-12);
}

TYPED_TEST(LayerNormOf, AConstantRowGivesTheBias) {
  using T = TypeParam;
  const std::vector<T> x(12, T(3)), w(12, T(2)), b(12, T(-1));
  std::vector<T> y(12);
  layer_norm<T>(Cpu(), x.data(), w.data(), b.data(), y.data(), nullptr, nullptr, 1, 12, T(1e-5));
  EXPECT_EQ(y, b);
}

TYPED_TEST(LayerNormOf, DoesNotDependOnTheThreads) {
  using T = TypeParam;
  const int64_t rows = 517, cols = 131, n = rows * cols;
  const auto x = draw<T>(n, 1), w = draw<T>(cols, 2), b = draw<T>(cols, 3), dy = draw<T>(n, 4);
  expect_same_for_any_threads([&] {
    std::vector<T> all(size_t(2 * (n + rows + cols)));
    T *y = all.data(), *mean = y + n, *rstd = mean + rows, *dx = rstd + rows, *dw = dx + n, *db = dw + cols;
    layer_norm(Cpu(), x.data(), w.data(), b.data(), y, mean, rstd, rows, cols, T(1e-5));
    layer_norm_backward(Cpu(), x.data(), w.data(), mean, rstd, dy.data(), Grad<T>{dx}, Grad<T>{dw}, Grad<T>{db}, rows,
                        cols);
    return all;
  });
}

}  // namespace
}  // namespace kernels
