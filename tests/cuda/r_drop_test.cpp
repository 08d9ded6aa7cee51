#include "kernels/r_drop.h"

#include "tests/cuda/arrays.h"

namespace kernels {
namespace {

template <class T>
class RDropOnDevice : public testing::Test {};
TYPED_TEST_SUITE(RDropOnDevice, DeviceNumbers);

/// The CPU twin in f64 on the same numbers is the reference.
TYPED_TEST(RDropOnDevice, IsTheCpus) {
  using T = TypeParam;
  using A = Accumulator<T>;
  const int64_t pairs = 5;
  for_row_lengths([&](int64_t cols, int64_t skipped) {
    SCOPED_TRACE(testing::Message() << pairs << " × " << cols << ", skipped " << skipped);
    const auto x = draw<T>(2 * pairs * cols, 1, -3, 3);
    const auto dloss = draw<A>(pairs, 2);
    std::vector<int32_t> targets;
    for (int64_t r = 0; r < pairs; ++r) targets.push_back(int32_t((r * 7 + cols - 1) % cols));
    const auto wide_x = as<double>(x), wide_dloss = as<double>(dloss);
    std::vector<double> loss(static_cast<size_t>(pairs)), nll(loss), kl(loss), kept(size_t(4 * pairs)), dx(wide_x);
    r_drop(Cpu(), wide_x.data(), targets.data(), 0.375, loss.data(), nll.data(), kl.data(), kept.data(), pairs, cols);
    r_drop_backward(Cpu(), wide_x.data(), targets.data(), 0.375, kept.data(), wide_dloss.data(),
                    Grad<double>{dx.data()}, pairs, cols);

    const Device<T> device_x(x, skipped);
    const Device<int32_t> device_targets(targets);
    const Device<A> device_dloss(dloss), found(pairs), found_nll(pairs), found_kl(pairs), found_kept(4 * pairs);
    r_drop<T>(Cuda(), device_x, device_targets, A(0.375), found, found_nll, found_kl, found_kept, pairs, cols);
    EXPECT_LE(relative_error(found.values(), loss), device_tolerance<A>);
    EXPECT_LE(relative_error(found_nll.values(), nll), device_tolerance<A>);
    EXPECT_LE(relative_error(found_kl.values(), kl), device_tolerance<A>);
    EXPECT_LE(relative_error(found_kept.values(), kept), device_tolerance<A>);
    expect_device_gradient<T>(dx, [&](Grad<T> g) {
      r_drop_backward<T>(Cuda(), device_x, device_targets, A(0.375), found_kept, device_dloss, g, pairs, cols);
    });
  });
}

}  // namespace
}  // namespace kernels
