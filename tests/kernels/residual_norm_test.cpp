#include "kernels/residual_norm.h"

#include "tests/kernels/arrays.h"

namespace kernels {
namespace {

template <class T>
class ResidualNormOf : public testing::Test {};
TYPED_TEST_SUITE(ResidualNormOf, Numbers);

/// One set of inputs and the op by its plain steps: dropout, sum, layer norm.
template <class T>
struct Steps {
  int64_t rows, cols, n;
  Drop drop;
  std::vector<T> x = draw<T>(n, 1, -1, 3), branch = draw<T>(n, 2), w = draw<T>(cols, 3), b = draw<T>(cols, 4),
                 dy = draw<T>(n, 5), sum = x, y = x, mean = std::vector<T>(size_t(rows)), rstd = mean;

  void forward() {
    dropout(Cpu(), drop, branch.data(), Grad<T>{sum.data(), true}, n);
    layer_norm(Cpu(), sum.data(), w.data(), b.data(), y.data(), mean.data(), rstd.data(), rows, cols, T(1e-2));
  }
  struct Gradients {
    std::vector<double> dx, dbranch, dweight, dbias;
  };
  Gradients backward() const {
    std::vector<T> dx(x.size()), dbranch(x.size()), dweight(w.size()), dbias(w.size());
    layer_norm_backward(Cpu(), sum.data(), w.data(), mean.data(), rstd.data(), dy.data(), Grad<T>{dx.data()},
                        Grad<T>{dweight.data()}, Grad<T>{dbias.data()}, rows, cols);
    dropout(Cpu(), drop, dx.data(), Grad<T>{dbranch.data()}, n);
    const auto wide = [](const std::vector<T>& v) { return std::vector<double>(v.begin(), v.end()); };
    return {wide(dx), wide(dbranch), wide(dweight), wide(dbias)};
  }
};

template <class T>
void expect_steps(Steps<T> steps) {
  steps.forward();
  const auto [rows, cols, n] = std::tuple(steps.rows, steps.cols, steps.n);
  Output<T> y(n), sum(n), mean(rows), rstd(rows);
  residual_norm(Cpu(), steps.drop, steps.x.data(), steps.branch.data(), steps.w.data(), steps.b.data(), y.data(),
                sum.data(), mean.data(), rstd.data(), rows, cols, T(1e-2));
  EXPECT_LE(relative_error(y.values(), steps.y), tolerance<T>);
  EXPECT_LE(relative_error(sum.values(), steps.sum), tolerance<T>);
  EXPECT_LE(relative_error(mean.values(), steps.mean), tolerance<T>);
  EXPECT_LE(relative_error(rstd.values(), steps.rstd), tolerance<T>);
  const Grad<T> none;
  const auto backward = [&](Grad<T> dx, Grad<T> dbranch, Grad<T> dweight, Grad<T> dbias) {
    Output<T> scratch(residual_norm_backward_scratch(rows, cols));
    residual_norm_backward(Cpu(), steps.drop, steps.sum.data(), steps.w.data(), steps.mean.data(), steps.rstd.data(),
                           steps.dy.data(), dx, dbranch, dweight, dbias, scratch.data(), rows, cols);
  };
  const auto e = steps.backward();
  expect_gradient<T>(e.dx, [&](Grad<T> g) { backward(g, none, none, none); });
  expect_gradient<T>(e.dbranch, [&](Grad<T> g) { backward(none, g, none, none); });
  expect_gradient<T>(e.dweight, [&](Grad<T> g) { backward(none, none, g, none); });
  expect_gradient<T>(e.dbias, [&](Grad<T> g) { backward(none, none, none, g); });
  Output<T> dx(n), dbranch(n), dweight(cols), dbias(cols);
  backward(Grad<T>{dx.data()}, Grad<T>{dbranch.data()}, Grad<T>{dweight.data()}, Grad<T>{dbias.data()});
  EXPECT_LE(relative_error(dx.values(), e.dx), tolerance<T>);
  EXPECT_LE(relative_error(dbranch.values(), e.dbranch), tolerance<T>);
  EXPECT_LE(relative_error(dweight.values(), e.dweight), tolerance<T>);
  EXPECT_LE(relative_error(dbias.values(), e.dbias), tolerance<T>);
}

TYPED_TEST(ResidualNormOf, IsItsPlainSteps) {
  const DropoutKey key{5, 6};
  for (const int64_t rows : {1, 3, 32, 33, 131}) {
    for (const int64_t cols : {2, 7, 64, 131, 512, 1031}) {
      SCOPED_TRACE(testing::Message() << rows << " × " << cols);
      std::vector<uint8_t> mask;
      for (int64_t i = 0; i < rows * cols; ++i) mask.push_back(i % 7 != 3);
      expect_steps<TypeParam>({rows, cols, rows * cols, Drop{0.3, &key, 7}});
      expect_steps<TypeParam>({rows, cols, rows * cols, Drop{0.4, nullptr, 0, mask.data()}});
      expect_steps<TypeParam>({rows, cols, rows * cols, Drop{}});
    }
  }
}

TYPED_TEST(ResidualNormOf, GivesTheSameWhenNothingIsKeptForABackwardPass) {
  using T = TypeParam;
  Steps<T> s{7, 131, 7 * 131, Drop{}};
  std::vector<T> with(size_t(s.n)), without(with);
  residual_norm(Cpu(), s.drop, s.x.data(), s.branch.data(), s.w.data(), s.b.data(), with.data(), s.sum.data(),
                s.mean.data(), s.rstd.data(), s.rows, s.cols, T(1e-5));
  residual_norm<T>(Cpu(), s.drop, s.x.data(), s.branch.data(), s.w.data(), s.b.data(), without.data(), nullptr, nullptr,
                   nullptr, s.rows, s.cols, T(1e-5));
  EXPECT_EQ(with, without);
}

TYPED_TEST(ResidualNormOf, DoesNotDependOnTheThreads) {
  using T = TypeParam;
  const DropoutKey key{5, 6};
  Steps<T> s{517, 131, 517 * 131, Drop{0.1, &key, 7}};
  expect_same_for_any_threads([&] {
    std::vector<T> all(size_t(4 * s.n + 2 * s.cols)), scratch(size_t(residual_norm_backward_scratch(s.rows, s.cols)));
    T *y = all.data(), *sum = y + s.n, *dx = sum + s.n, *dbranch = dx + s.n, *dw = dbranch + s.n, *db = dw + s.cols;
    residual_norm(Cpu(), s.drop, s.x.data(), s.branch.data(), s.w.data(), s.b.data(), y, sum, s.mean.data(),
                  s.rstd.data(), s.rows, s.cols, T(1e-5));
    residual_norm_backward(Cpu(), s.drop, sum, s.w.data(), s.mean.data(), s.rstd.data(), s.dy.data(), Grad<T>{dx},
                           Grad<T>{dbranch}, Grad<T>{dw}, Grad<T>{db}, scratch.data(), s.rows, s.cols);
    return all;
  });
}

}  // namespace
}  // namespace kernels
