#include "kernels/layer_norm.h"

#include "tests/cuda/arrays.h"

namespace kernels {
namespace {

template <class T>
class LayerNormOnDevice : public testing::Test {};
TYPED_TEST_SUITE(LayerNormOnDevice, DeviceNumbers);

/// The CPU twin in f64 on the same numbers is the reference.
TYPED_TEST(LayerNormOnDevice, IsTheCpus) {
  using T = TypeParam;
  using A = Accumulator<T>;
  const Cuda cuda;
  const int64_t rows = 5;
  for_row_lengths([&](int64_t cols, int64_t skipped) {
    SCOPED_TRACE(testing::Message() << rows << " × " << cols << ", skipped " << skipped);
    const int64_t n = rows * cols;
    const auto x = draw<T>(n, 1, -1, 3), dy = draw<T>(n, 2);
    const auto w = draw<A>(cols, 3), b = draw<A>(cols, 4);
    const auto wide_x = as<double>(x), wide_w = as<double>(w), wide_b = as<double>(b), wide_dy = as<double>(dy);
    std::vector<double> y(wide_x), mean(static_cast<size_t>(rows)), rstd(mean), dx(y), dw(wide_w), db(wide_w);
    layer_norm(Cpu(), wide_x.data(), wide_w.data(), wide_b.data(), y.data(), mean.data(), rstd.data(), rows, cols,
               1e-2);
    layer_norm_backward(Cpu(), wide_x.data(), wide_w.data(), mean.data(), rstd.data(), wide_dy.data(),
                        Grad<double>{dx.data()}, Grad<double>{dw.data()}, Grad<double>{db.data()}, rows, cols);

    const Device<T> device_x(x, skipped), device_dy(dy), found(n);
    const Device<A> device_w(w), device_b(b), found_mean(rows), found_rstd(rows);
    layer_norm(cuda, device_x.data(), device_w.data(), device_b.data(), found.data(), found_mean.data(),
               found_rstd.data(), rows, cols, A(1e-2));
    EXPECT_LE(relative_error(found.values(), y), device_tolerance<T>);
    EXPECT_LE(relative_error(found_mean.values(), mean), device_tolerance<A>);
    EXPECT_LE(relative_error(found_rstd.values(), rstd), device_tolerance<A>);

    const auto backward = [&](Grad<T> dx, Grad<A> dweight, Grad<A> dbias) {
      layer_norm_backward(cuda, device_x.data(), device_w.data(), found_mean.data(), found_rstd.data(),
                          device_dy.data(), dx, dweight, dbias, rows, cols);
    };
    expect_device_gradient<T>(dx, [&](Grad<T> g) { backward(g, {}, {}); });
    expect_device_gradient<A>(dw, [&](Grad<A> g) { backward({}, g, {}); });
    expect_device_gradient<A>(db, [&](Grad<A> g) { backward({}, {}, g); });
  });
}

TYPED_TEST(LayerNormOnDevice, ShowsNaNInItsRowAlone) {
  using T = TypeParam;
  using A = Accumulator<T>;
  for (const int64_t cols : {33, 40}) {
    auto x = draw<T>(2 * cols, 1);
    x[32] = T(std::numeric_limits<float>::quiet_NaN());
    const Device<T> device_x(x), y(2 * cols);
    const Device<A> w(draw<A>(cols, 2)), b(draw<A>(cols, 3));
    layer_norm<T>(Cuda(), device_x, w, b, y, nullptr, nullptr, 2, cols, A(1e-5));
    const auto values = y.values();
    for (int64_t i = 0; i < 2 * cols; ++i) EXPECT_EQ(std::isnan(double(values[size_t(i)])), i < cols) << i;
  }
}

}  // namespace
}  // namespace kernels
