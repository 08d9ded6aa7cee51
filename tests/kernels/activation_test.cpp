#include "kernels/activation.h"

#include "tests/kernels/arrays.h"

namespace kernels {
namespace {

constexpr Activation all[] = {Activation::relu,    Activation::elu,  Activation::silu,
                              Activation::sigmoid, Activation::tanh, Activation::gelu};

double value_of(Activation which, double x) {
  switch (which) {
    case Activation::relu:
      return std::max(x, 0.0);
    case Activation::elu:
      return x > 0 ? x : std::expm1(x);
    case Activation::silu:
      return x / (1 + std::exp(-x));
    case Activation::sigmoid:
      return 1 / (1 + std::exp(-x));
    case Activation::tanh:
      return std::tanh(x);
    case Activation::gelu:
      return x * 0.5 * (1 + std::erf(x / std::sqrt(2.0)));
  }
  return 0;
}

double derivative_of(Activation which, double x) {
  const double s = 1 / (1 + std::exp(-x));
  switch (which) {
    case Activation::relu:
      return x > 0;
    case Activation::elu:
      return x > 0 ? 1 : std::exp(x);
    case Activation::silu:
      return s + x * s * (1 - s);
    case Activation::sigmoid:
      return s * (1 - s);
    case Activation::tanh:
      return 1 / (std::cosh(x) * std::cosh(x));
    case Activation::gelu:
      return 0.5 * std::erfc(-x / std::sqrt(2.0)) + x * std::exp(-x * x / 2) / std::sqrt(2 * M_PI);
  }
  return 0;
}

template <class T>
double norm(const std::vector<T>& x) {
  double squares = 0;
  for (const T value : x) squares += double(value) * double(value);
  return std::sqrt(squares);
}

template <class T>
class ActivationOf : public testing::Test {};
TYPED_TEST_SUITE(ActivationOf, Numbers);

TYPED_TEST(ActivationOf, IsTheFunctionAndItsDerivative) {
  using T = TypeParam;
  for (const Activation which : all) {
    for (const int64_t n : lengths) {
      SCOPED_TRACE(testing::Message() << "activation " << int(which) << ", n " << n);
      const auto x = draw<T>(n, 1, -6, 6), dy = draw<T>(n, 2);
      std::vector<double> y, dx;
      for (int64_t i = 0; i < n; ++i) {
        y.push_back(value_of(which, double(x[size_t(i)])));
        dx.push_back(derivative_of(which, double(x[size_t(i)])) * double(dy[size_t(i)]));
      }
      Output<T> found(n);
      activation(Cpu(), which, x.data(), found.data(), n);
      EXPECT_LE(relative_error(found.values(), y), tolerance<T>);
      // Where a derivative is small, 1 − y² say, it has lost digits: errors count against dy, not against dx.
      const double limit = tolerance<T> * norm(dy) / norm(dx);
      expect_gradient<T>(
          dx, [&](Grad<T> g) { activation_backward(Cpu(), which, x.data(), found.data(), dy.data(), g, n); }, limit);
    }
  }
}

TYPED_TEST(ActivationOf, KeepsItsDigitsFarOutAndNearZero) {
  using T = TypeParam;
  const std::vector<T> x = {-100, -30, -10, -5, -1, T(-1e-3), T(-1e-7), T(1e-7), T(1e-3), 1, 5, 10, 30, 100};
  for (const Activation which : {Activation::elu, Activation::silu, Activation::sigmoid, Activation::tanh}) {
    Output<T> y(int64_t(x.size()));
    activation(Cpu(), which, x.data(), y.data(), int64_t(x.size()));
    for (size_t i = 0; i < x.size(); ++i) {
      const double expected = value_of(which, double(x[i])), tiny = double(std::numeric_limits<T>::min());
      EXPECT_NEAR(double(y[i]), expected, 1e-6 * std::abs(expected) + tiny) << int(which) << " at " << x[i];
    }
  }
}

TYPED_TEST(ActivationOf, ReluHasSlopeZeroAtZero) {
  using T = TypeParam;
  const T x = 0, dy = 5;
  T y = 1, dx = 1;
  activation(Cpu(), Activation::relu, &x, &y, 1);
  activation_backward(Cpu(), Activation::relu, &x, &y, &dy, Grad<T>{&dx}, 1);
  EXPECT_EQ(y, T(0));
  EXPECT_EQ(dx, T(0));
}

TYPED_TEST(ActivationOf, ShowsNaN) {
  using T = TypeParam;
  const std::vector<T> x(19, std::numeric_limits<T>::quiet_NaN());
  for (const Activation which : all) {
    std::vector<T> y(19, 0);
    activation(Cpu(), which, x.data(), y.data(), 19);
    for (const T value : y) EXPECT_TRUE(std::isnan(value)) << int(which);
  }
}

TYPED_TEST(ActivationOf, DoesNotDependOnTheThreads) {
  using T = TypeParam;
  const int64_t n = 40007;
  const auto x = draw<T>(n, 3, -6, 6);
  for (const Activation which : all) {
    expect_same_for_any_threads([&] {
      std::vector<T> y(size_t(2 * n), T(1));
      activation(Cpu(), which, x.data(), y.data(), n);
      activation_backward(Cpu(), which, x.data(), y.data(), x.data(), Grad<T>{y.data() + n, true}, n);
      return y;
    });
  }
}

}  // namespace
}  // namespace kernels
