#include "kernels/gated_sum.h"

#include <memory>

#include "tests/cuda/arrays.h"

namespace kernels {
namespace {

template <class T>
class GatedSumOnDevice : public testing::Test {};
TYPED_TEST_SUITE(GatedSumOnDevice, DeviceNumbers);

/// `count` tensors of n numbers, on the device and in f64.
template <class T>
struct Tensors {
  std::vector<std::unique_ptr<Device<T>>> device;
  std::vector<std::vector<double>> wide;
  std::vector<const T*> at;
  std::vector<const double*> wide_at;
  Tensors(int64_t count, int64_t n, uint64_t seed) {
    for (int64_t k = 0; k < count; ++k) {
      const auto values = draw<T>(n, seed + uint64_t(k), -3, 3);
      device.push_back(std::make_unique<Device<T>>(values)), wide.push_back(as<double>(values));
      at.push_back(device.back()->data());
    }
    for (const auto& values : wide) wide_at.push_back(values.data());
  }
};

/// With no parts, some, and more than one launch takes.
TYPED_TEST(GatedSumOnDevice, IsTheCpus) {
  using T = TypeParam;
  const Cuda cuda;
  for (const int64_t count : {0, 3, 9}) {
    for (const int64_t n : {1, 33, 520}) {
      for (const Activation gate : {Activation::silu, Activation::sigmoid}) {
        SCOPED_TRACE(testing::Message() << count << " parts of " << n << ", gate " << int(gate));
        const Tensors<T> a(count, n, 100), parts(count, n, 200), c(1, n, 300), dy(1, n, 400);
        std::vector<double> y(static_cast<size_t>(n)), dc(y);
        std::vector<std::vector<double>> da(static_cast<size_t>(count), y), dparts(da);
        std::vector<Grad<double>> into_a, into_parts;
        for (auto& values : da) into_a.push_back({values.data()});
        for (auto& values : dparts) into_parts.push_back({values.data()});
        gated_sum(Cpu(), gate, 0.25, c.wide_at[0], a.wide_at.data(), parts.wide_at.data(), count, y.data(), n);
        gated_sum_backward(Cpu(), gate, 0.25, c.wide_at[0], a.wide_at.data(), parts.wide_at.data(), count,
                           dy.wide_at[0], Grad<double>{dc.data()}, into_a.data(), into_parts.data(), n);

        const Device<T> found(n);
        gated_sum(cuda, gate, Accumulator<T>(0.25), c.at[0], a.at.data(), parts.at.data(), count, found.data(), n);
        EXPECT_LE(relative_error(found.values(), y), device_tolerance<T>);
        // Each gradient alone.
        using Grads = std::vector<Grad<T>>;
        const auto backward = [&](Grad<T> to_c, const Grads& to_a, const Grads& to_parts) {
          gated_sum_backward(cuda, gate, Accumulator<T>(0.25), c.at[0], a.at.data(), parts.at.data(), count, dy.at[0],
                             to_c, to_a.data(), to_parts.data(), n);
        };
        const Grads none(static_cast<size_t>(count));
        const auto only = [&](size_t k, Grad<T> g) {
          Grads one = none;
          one[k] = g;
          return one;
        };
        expect_device_gradient<T>(dc, [&](Grad<T> g) { backward(g, none, none); });
        for (size_t k = 0; k < size_t(count); ++k) {
          expect_device_gradient<T>(da[k], [&](Grad<T> g) { backward({}, only(k, g), none); });
          expect_device_gradient<T>(dparts[k], [&](Grad<T> g) { backward({}, none, only(k, g)); });
        }
      }
    }
  }
}

}  // namespace
}  // namespace kernels
