#include "kernels/activation.h"

#include "tests/cuda/arrays.h"

namespace kernels {
namespace {

template <class T>
class ActivationOnDevice : public testing::Test {};
TYPED_TEST_SUITE(ActivationOnDevice, DeviceNumbers);

constexpr Activation all[] = {Activation::relu,    Activation::elu,  Activation::silu,
                              Activation::sigmoid, Activation::tanh, Activation::gelu};

TYPED_TEST(ActivationOnDevice, IsTheCpus) {
  using T = TypeParam;
  const Cuda cuda;
  for (const Activation which : all) {
    for (const int64_t n : device_lengths) {
      SCOPED_TRACE(testing::Message() << "activation " << int(which) << ", " << n);
      const auto x = draw<T>(n, 1, -4, 4), dy = draw<T>(n, 2);
      std::vector<double> y(static_cast<size_t>(n)), dx(y);
      const auto wide_x = as<double>(x), wide_dy = as<double>(dy);
      activation(Cpu(), which, wide_x.data(), y.data(), n);
      const Device<T> device_x(x), device_dy(dy), found(n);
      activation(cuda, which, device_x.data(), found.data(), n);
      EXPECT_LE(relative_error(found.values(), y), device_tolerance<T>);
      const auto stored = as<double>(found.values());
      activation_backward(Cpu(), which, wide_x.data(), stored.data(), wide_dy.data(), Grad<double>{dx.data()}, n);
      expect_device_gradient<T>(dx, [&](Grad<T> g) {
        activation_backward(cuda, which, device_x.data(), found.data(), device_dy.data(), g, n);
      });
    }
  }
}

TYPED_TEST(ActivationOnDevice, IsTheSameFromAnyAddressAndInPlace) {
  using T = TypeParam;
  const int64_t n = 70;
  const Device<T> x(draw<T>(n + 3, 1)), y(n);
  for (const int64_t offset : {0, 1, 3}) {
    activation(Cuda(), Activation::silu, x + offset, y.data(), n);
    const auto expected = y.values();
    activation(Cuda(), Activation::silu, x + offset, x + offset, n);
    const auto all = x.values();
    for (int64_t i = 0; i < n; ++i) ASSERT_EQ(double(all[size_t(offset + i)]), double(expected[size_t(i)]));
  }
}

TYPED_TEST(ActivationOnDevice, ANaNStays) {
  using T = TypeParam;
  auto x = draw<T>(9, 1);
  x[3] = x[8] = T(std::numeric_limits<float>::quiet_NaN());
  const Device<T> device_x(x), y(9);
  activation(Cuda(), Activation::relu, device_x.data(), y.data(), 9);
  const auto values = y.values();
  for (int i = 0; i < 9; ++i) EXPECT_EQ(std::isnan(double(values[size_t(i)])), i == 3 || i == 8);
}

}  // namespace
}  // namespace kernels
