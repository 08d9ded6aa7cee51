#include "kernels/residual_norm.h"

#include "tests/cuda/arrays.h"

namespace kernels {
namespace {

template <class T>
class ResidualNormOnDevice : public testing::Test {};
TYPED_TEST_SUITE(ResidualNormOnDevice, DeviceNumbers);

/// One call each way, against the CPU twin in f64 on the same numbers. The backward pass is given the device's own sum,
/// as it was stored.
template <class T>
void expect_the_cpus(Drop on_cpu, Drop on_device, int64_t rows, int64_t cols, int64_t skipped) {
  using A = Accumulator<T>;
  SCOPED_TRACE(testing::Message() << rows << " × " << cols << ", rate " << on_cpu.rate << ", skipped " << skipped);
  const Cuda cuda;
  const int64_t n = rows * cols;
  const auto x = draw<T>(n, 1, -1, 3), branch = draw<T>(n, 2), dy = draw<T>(n, 3);
  const auto w = draw<A>(cols, 4), b = draw<A>(cols, 5);
  const auto wide_x = as<double>(x), wide_branch = as<double>(branch), wide_w = as<double>(w), wide_b = as<double>(b),
             wide_dy = as<double>(dy);
  std::vector<double> y(wide_x), sum(y), mean(static_cast<size_t>(rows)), rstd(mean);
  residual_norm(Cpu(), on_cpu, wide_x.data(), wide_branch.data(), wide_w.data(), wide_b.data(), y.data(), sum.data(),
                mean.data(), rstd.data(), rows, cols, 1e-2);

  const Device<T> device_x(x, skipped), device_branch(branch), device_dy(dy, skipped), found(n), found_sum(n);
  const Device<A> device_w(w), device_b(b), found_mean(rows), found_rstd(rows);
  residual_norm(cuda, on_device, device_x.data(), device_branch.data(), device_w.data(), device_b.data(), found.data(),
                found_sum.data(), found_mean.data(), found_rstd.data(), rows, cols, A(1e-2));
  EXPECT_LE(relative_error(found.values(), y), device_tolerance<T>);
  EXPECT_LE(relative_error(found_sum.values(), sum), device_tolerance<T>);
  EXPECT_LE(relative_error(found_mean.values(), mean), device_tolerance<T>);
  EXPECT_LE(relative_error(found_rstd.values(), rstd), device_tolerance<T>);
  const Device<T> alone(n);
  residual_norm<T>(cuda, on_device, device_x, device_branch, device_w, device_b, alone, nullptr, nullptr, nullptr, rows,
                   cols, A(1e-2));
  EXPECT_EQ(relative_error(alone.values(), as<double>(found.values())), 0) << "when nothing is kept";

  const auto stored = as<double>(found_sum.values()), m = as<double>(found_mean.values()),
             s = as<double>(found_rstd.values());
  std::vector<double> dx(wide_x), dbranch(dx), dw(wide_w), db(dw),
      scratch(size_t(residual_norm_backward_scratch(rows, cols)));
  residual_norm_backward(Cpu(), on_cpu, stored.data(), wide_w.data(), m.data(), s.data(), wide_dy.data(),
                         Grad<double>{dx.data()}, Grad<double>{dbranch.data()}, Grad<double>{dw.data()},
                         Grad<double>{db.data()}, scratch.data(), rows, cols);
  const auto backward = [&](Grad<T> dx, Grad<T> dbranch, Grad<A> dweight, Grad<A> dbias) {
    const Device<A> scratch(residual_norm_backward_scratch(rows, cols));
    residual_norm_backward(cuda, on_device, found_sum.data(), device_w.data(), found_mean.data(), found_rstd.data(),
                           device_dy.data(), dx, dbranch, dweight, dbias, scratch.data(), rows, cols);
  };
  expect_device_gradient<T>(dx, [&](Grad<T> g) { backward(g, {}, {}, {}); });
  expect_device_gradient<T>(dbranch, [&](Grad<T> g) { backward({}, g, {}, {}); });
  expect_device_gradient<A>(dw, [&](Grad<A> g) { backward({}, {}, g, {}); });
  expect_device_gradient<A>(db, [&](Grad<A> g) { backward({}, {}, {}, g); });
  const auto all = [&] {
    const Device<T> to_x(n), to_branch(n);
    const Device<A> to_w(cols), to_b(cols);
    backward(Grad<T>{to_x}, Grad<T>{to_branch}, Grad<A>{to_w}, Grad<A>{to_b});
    EXPECT_LE(relative_error(to_x.values(), dx), device_tolerance<T>);
    EXPECT_LE(relative_error(to_branch.values(), dbranch), device_tolerance<T>);
    EXPECT_LE(relative_error(to_b.values(), db), device_tolerance<A>);
    return to_w.values();
  };
  EXPECT_LE(relative_error(all(), dw), device_tolerance<A>);
  expect_same_again(all);
}

TYPED_TEST(ResidualNormOnDevice, IsTheCpusWithRandomMasks) {
  const DropoutKey key{5, 6};
  const Device<DropoutKey> on_device(std::vector<DropoutKey>{key});
  for_row_lengths([&](int64_t cols, int64_t skipped) {
    expect_the_cpus<TypeParam>({0.3, &key, 7}, {0.3, on_device, 7}, 2, cols, skipped);
  });
}

TYPED_TEST(ResidualNormOnDevice, IsTheCpusWithGivenMasks) {
  for (const int64_t cols : {7, 264}) {
    std::vector<uint8_t> mask;
    for (int64_t i = 0; i < 2 * cols; ++i) mask.push_back(i % 7 != 3);
    const Device<uint8_t> on_device(mask);
    expect_the_cpus<TypeParam>({0.4, nullptr, 0, mask.data()}, {0.4, nullptr, 0, on_device}, 2, cols, 0);
  }
}

/// Several rows for a warp, and several blocks whose parts are added up.
TYPED_TEST(ResidualNormOnDevice, IsTheCpusForManyRows) {
  for (const int64_t cols : {8, 7}) expect_the_cpus<TypeParam>({}, {}, 131, cols, 0);
}

}  // namespace
}  // namespace kernels
