#include "kernels/softmax.h"

#include "tests/cuda/arrays.h"

namespace kernels {
namespace {

template <class T>
class SoftmaxOnDevice : public testing::Test {};
TYPED_TEST_SUITE(SoftmaxOnDevice, DeviceNumbers);

/// The CPU twin in f64 on the same numbers is the reference.
TYPED_TEST(SoftmaxOnDevice, IsTheCpus) {
  using T = TypeParam;
  const Cuda cuda;
  for (const int64_t rows : {1, 6}) {
    for_row_lengths([&](int64_t cols, int64_t skipped) {
      SCOPED_TRACE(testing::Message() << rows << " × " << cols << ", skipped " << skipped);
      const int64_t n = rows * cols;
      const auto x = draw<T>(n, 1, -5, 5), dy = draw<T>(n, 2);
      std::vector<double> y(static_cast<size_t>(n)), log_y(y), dx(y), dx_log(y);
      const auto wide_x = as<double>(x), wide_dy = as<double>(dy);
      softmax(Cpu(), wide_x.data(), y.data(), rows, cols);
      log_softmax(Cpu(), wide_x.data(), log_y.data(), rows, cols);

      const Device<T> device_x(x, skipped), device_dy(dy, skipped), found(n), found_log(n);
      softmax(cuda, device_x.data(), found.data(), rows, cols);
      log_softmax(cuda, device_x.data(), found_log.data(), rows, cols);
      EXPECT_LE(relative_error(found.values(), y), device_tolerance<T>);
      EXPECT_LE(relative_error(found_log.values(), log_y), device_tolerance<T>);

      // The derivatives read y as it was stored.
      const auto stored = as<double>(found.values()), stored_log = as<double>(found_log.values());
      softmax_backward(Cpu(), stored.data(), wide_dy.data(), Grad<double>{dx.data()}, rows, cols);
      log_softmax_backward(Cpu(), stored_log.data(), wide_dy.data(), Grad<double>{dx_log.data()}, rows, cols);
      expect_device_gradient<T>(
          dx, [&](Grad<T> g) { softmax_backward(cuda, found.data(), device_dy.data(), g, rows, cols); });
      expect_device_gradient<T>(
          dx_log, [&](Grad<T> g) { log_softmax_backward(cuda, found_log.data(), device_dy.data(), g, rows, cols); });
    });
  }
}

TYPED_TEST(SoftmaxOnDevice, ShowsNaNInItsRowAlone) {
  using T = TypeParam;
  for (const int64_t cols : {33, 40})
    for (const int64_t at : {0, 31, 32}) {
      auto x = draw<T>(2 * cols, 1);
      x[size_t(at)] = T(std::numeric_limits<float>::quiet_NaN());
      const Device<T> device_x(x), y(2 * cols);
      softmax(Cuda(), device_x.data(), y.data(), 2, cols);
      const auto values = y.values();
      for (int64_t i = 0; i < 2 * cols; ++i)
        EXPECT_EQ(std::isnan(double(values[size_t(i)])), i < cols) << at << " " << i;
    }
}

}  // namespace
}  // namespace kernels
