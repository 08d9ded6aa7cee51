#include "kernels/loss.h"

#include "tests/cuda/arrays.h"

namespace kernels {
namespace {

template <class T>
class LossOnDevice : public testing::Test {};
TYPED_TEST_SUITE(LossOnDevice, DeviceNumbers);

std::vector<int32_t> targets_of(int64_t rows, int64_t cols) {
  std::vector<int32_t> targets;
  for (int64_t r = 0; r < rows; ++r) targets.push_back(int32_t((r * 7 + cols - 1) % cols));
  return targets;
}

/// The CPU twins in f64 on the same numbers are the reference.
TYPED_TEST(LossOnDevice, CrossEntropyIsTheCpus) {
  using T = TypeParam;
  using A = Accumulator<T>;
  const int64_t rows = 5;
  for_row_lengths([&](int64_t cols, int64_t skipped) {
    SCOPED_TRACE(testing::Message() << rows << " × " << cols << ", skipped " << skipped);
    const auto x = draw<T>(rows * cols, 1, -5, 5);
    const auto dloss = draw<A>(rows, 2);
    const auto targets = targets_of(rows, cols);
    const auto wide_x = as<double>(x), wide_dloss = as<double>(dloss);
    std::vector<double> loss(static_cast<size_t>(rows)), dx(wide_x);
    cross_entropy(Cpu(), wide_x.data(), targets.data(), loss.data(), rows, cols);
    cross_entropy_backward(Cpu(), wide_x.data(), targets.data(), wide_dloss.data(), Grad<double>{dx.data()}, rows,
                           cols);
    const Device<T> device_x(x, skipped);
    const Device<A> device_dloss(dloss), found(rows);
    const Device<int32_t> device_targets(targets);
    cross_entropy<T>(Cuda(), device_x, device_targets, found, rows, cols);
    // The loss of one class is 0: what is left of it is rounding.
    EXPECT_LE(relative_error(found.values(), loss), cols == 1 ? 0 : device_tolerance<A>);
    const auto run = [&](Grad<T> g) {
      cross_entropy_backward<T>(Cuda(), device_x, device_targets, device_dloss, g, rows, cols);
    };
    expect_device_gradient<T>(dx, run);
  });
}

TYPED_TEST(LossOnDevice, PairsOfRowsAreTheCpus) {
  using T = TypeParam;
  using A = Accumulator<T>;
  const int64_t rows = 5;
  for_row_lengths([&](int64_t cols, int64_t skipped) {
    SCOPED_TRACE(testing::Message() << rows << " × " << cols << ", skipped " << skipped);
    const auto a = draw<T>(rows * cols, 1, -3, 3), b = draw<T>(rows * cols, 2, -3, 3);
    const auto dloss = draw<A>(rows, 3);
    const auto wide_a = as<double>(a), wide_b = as<double>(b), wide_dloss = as<double>(dloss);
    const Device<T> device_a(a, skipped), device_b(b);
    const Device<A> device_dloss(dloss);
    const auto expect = [&](auto forward, auto backward) {
      std::vector<double> loss(static_cast<size_t>(rows)), da(wide_a), db(wide_b);
      forward(Cpu(), wide_a.data(), wide_b.data(), loss.data());
      backward(Cpu(), wide_a.data(), wide_b.data(), wide_dloss.data(), Grad<double>{da.data()},
               Grad<double>{db.data()});
      const Device<A> found(rows);
      forward(Cuda(), device_a.data(), device_b.data(), found.data());
      EXPECT_LE(relative_error(found.values(), loss), device_tolerance<A>);
      const auto run = [&](Grad<T> to_a, Grad<T> to_b) {
        backward(Cuda(), device_a.data(), device_b.data(), device_dloss.data(), to_a, to_b);
      };
      expect_device_gradient<T>(da, [&](Grad<T> g) { run(g, {}); });
      expect_device_gradient<T>(db, [&](Grad<T> g) { run({}, g); });
      const Device<T> to_a(rows * cols), to_b(rows * cols);
      run(Grad<T>{to_a}, Grad<T>{to_b});
      EXPECT_LE(relative_error(to_a.values(), da), device_tolerance<T>);
      EXPECT_LE(relative_error(to_b.values(), db), device_tolerance<T>);
    };
    expect([=](auto backend, auto... rest) { bidirectional_kl(backend, rest..., rows, cols); },
           [=](auto backend, auto... rest) { bidirectional_kl_backward(backend, rest..., rows, cols); });
    expect([=](auto backend, auto... rest) { squared_error(backend, rest..., rows, cols); },
           [=](auto backend, auto... rest) { squared_error_backward(backend, rest..., rows, cols); });
  });
}

TYPED_TEST(LossOnDevice, ShowsNaNInItsRowAlone) {
  using T = TypeParam;
  using A = Accumulator<T>;
  for (const int64_t cols : {33, 40}) {
    auto x = draw<T>(2 * cols, 1);
    x[32] = T(std::numeric_limits<float>::quiet_NaN());
    const Device<T> device_x(x), other(draw<T>(2 * cols, 2));
    const Device<int32_t> targets(std::vector<int32_t>{1, 2});
    const Device<A> entropy(2), kl(2), error(2);
    cross_entropy<T>(Cuda(), device_x, targets, entropy, 2, cols);
    bidirectional_kl<T>(Cuda(), device_x, other, kl, 2, cols);
    squared_error<T>(Cuda(), device_x, other, error, 2, cols);
    for (const auto* const loss : {&entropy, &kl, &error}) {
      const auto values = loss->values();
      EXPECT_TRUE(std::isnan(double(values[0])));
      EXPECT_FALSE(std::isnan(double(values[1])));
    }
  }
}

}  // namespace
}  // namespace kernels
