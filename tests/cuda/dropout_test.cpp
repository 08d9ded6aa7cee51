#include "kernels/dropout.h"

#include "tests/cuda/arrays.h"

namespace kernels {
namespace {

template <class T>
class DropoutOnDevice : public testing::Test {};
TYPED_TEST_SUITE(DropoutOnDevice, DeviceNumbers);

/// The same elements are dropped as on the CPU, whether they are drawn or given, from any address.
TYPED_TEST(DropoutOnDevice, DropsWhatTheCpuDrops) {
  using T = TypeParam;
  const Cuda cuda;
  const DropoutKey key{5, 7};
  const Device<DropoutKey> device_key(std::vector<DropoutKey>{key});
  for (const int64_t n : device_lengths) {
    std::vector<uint8_t> mask;
    for (int64_t i = 0; i < n; ++i) mask.push_back(i % 3 != 0);
    const Device<uint8_t> device_mask(mask);
    for (const double rate : {0.0, 0.3}) {
      for (const bool drawn : {true, false}) {
        for (const int64_t offset : {0, 1}) {
          SCOPED_TRACE(testing::Message() << n << " at rate " << rate << (drawn ? ", drawn" : ", given") << offset);
          const Drop drop{rate, &key, 3, drawn ? nullptr : mask.data()};
          const Drop device_drop{rate, device_key, 3, drawn ? nullptr : device_mask.data()};
          const auto x = draw<T>(n + offset, 1), dy = draw<T>(n, 2);
          const auto wide_x = as<double>(x), wide_dy = as<double>(dy);
          std::vector<double> y(static_cast<size_t>(n)), positive(y), dx(y);
          dropout(Cpu(), drop, wide_x.data() + offset, Grad<double>{y.data()}, n);
          relu_dropout(Cpu(), drop, wide_x.data() + offset, positive.data(), n);
          relu_dropout_backward(Cpu(), drop, positive.data(), wide_dy.data(), Grad<double>{dx.data()}, n);
          const Device<T> device_x(x), device_dy(dy), found(n);
          expect_device_gradient<T>(y, [&](Grad<T> g) { dropout(cuda, device_drop, device_x + offset, g, n); });
          relu_dropout(cuda, device_drop, device_x + offset, found.data(), n);
          EXPECT_LE(relative_error(found.values(), positive), device_tolerance<T>);
          expect_device_gradient<T>(
              dx, [&](Grad<T> g) { relu_dropout_backward(cuda, device_drop, found.data(), device_dy.data(), g, n); });
        }
      }
    }
  }
}

TYPED_TEST(DropoutOnDevice, ADroppedNaNIsSeen) {
  using T = TypeParam;
  const Device<T> x(std::vector<T>(9, T(std::numeric_limits<float>::quiet_NaN()))), y(9);
  const Device<uint8_t> mask(std::vector<uint8_t>(9));
  dropout(Cuda(), Drop{0.5, nullptr, 0, mask}, x.data(), Grad<T>{y.data()}, 9);
  for (const T value : y.values()) EXPECT_TRUE(std::isnan(double(value)));
}

}  // namespace
}  // namespace kernels
