#include "kernels/optimizer.h"

#include <memory>

#include "tests/cuda/arrays.h"

namespace kernels {
namespace {

template <class T>
class AdamOnDevice : public testing::Test {};
TYPED_TEST_SUITE(AdamOnDevice, Numbers);

constexpr int64_t arrays_each = 4;  ///< parameter, gradient, m, v

/// Tensors of these sizes, strung together, on the device; each array begins `skew` numbers past an aligned address.
template <class T>
struct Set {
  std::vector<int64_t> sizes;
  std::vector<std::unique_ptr<Device<T>>> arrays;
  std::vector<AdamTensor<T>> tensors;
  std::unique_ptr<Device<AdamTensor<T>>> device;
  int64_t total = 0;

  Set(std::vector<int64_t> lengths, int64_t skew) : sizes(std::move(lengths)) {
    for (size_t t = 0; t < sizes.size(); ++t) {
      T* at[arrays_each];
      for (int64_t k = 0; k < arrays_each; ++k) {
        const double low = k == 3 ? 0.01 : -1;
        arrays.push_back(
            std::make_unique<Device<T>>(draw<T>(sizes[t] + skew, uint64_t(t) * arrays_each + uint64_t(k), low, 1)));
        at[k] = arrays.back()->data() + skew;
      }
      tensors.push_back({at[0], at[1], at[2], at[3], sizes[t]});
      total += sizes[t];
    }
    device = std::make_unique<Device<AdamTensor<T>>>(tensors);
  }
  int64_t count() const { return int64_t(tensors.size()); }
  /// All arrays, one after the other.
  std::vector<T> values() const {
    std::vector<T> result;
    for (const auto& array : arrays) {
      const auto values = array->values();
      result.insert(result.end(), values.begin(), values.end());
    }
    return result;
  }
  /// The same on the CPU: a copy of each array, and the tensors in it.
  std::vector<std::vector<T>> host(std::vector<AdamTensor<T>>& into, int64_t skew) const {
    std::vector<std::vector<T>> copies;
    for (const auto& array : arrays) copies.push_back(array->values());
    for (size_t t = 0; t < sizes.size(); ++t) {
      std::vector<T>* const c = copies.data() + t * arrays_each;
      into.push_back({c[0].data() + skew, c[1].data() + skew, c[2].data() + skew, c[3].data() + skew, sizes[t]});
    }
    return copies;
  }
};

/// Many tensors in one warp's run, empty ones, one that many runs share; more than a warp looks through at once; a part
/// that ends before its first pack begins.
const std::vector<std::vector<int64_t>> sets = {
    {1}, {3, 0, 65, 7, 9001, 12}, std::vector<int64_t>(70, 5), {4096, 0, 0, 4096, 2}, {4095, 2, 1}};

AdamStep some_step() {
  AdamStep step;
  step.rate = 0.01, step.weight_decay = 0.1, step.l2 = 0.05, step.gradient_scale = 0.5;
  step.bias1 = 1 - step.beta1, step.bias2 = 1 - step.beta2;
  return step;
}

TYPED_TEST(AdamOnDevice, IsTheCpusForAllTensorsAtOnce) {
  using T = TypeParam;
  const AdamStep step = some_step();
  const Device<AdamStep> device_step(std::vector<AdamStep>{step});
  for (const auto& sizes : sets) {
    for (const int64_t skew : {0, 1}) {
      const Set<T> set(sizes, skew);
      std::vector<AdamTensor<T>> tensors;
      const auto copies = set.host(tensors, skew);
      adam(Cpu(), &step, tensors.data(), set.count());
      adam(Cuda(), device_step.data(), set.device->data(), set.count(), set.total);
      std::vector<double> expected;
      for (const auto& copy : copies) expected.insert(expected.end(), copy.begin(), copy.end());
      EXPECT_LE(relative_error(set.values(), expected), tolerance<T>) << sizes.size() << " tensors";
    }
  }
}

/// A copy in 16 bits follows its parameter; tensors without one stand beside those with.
template <class T, class R>
void expect_rounded(const std::vector<int64_t>& sizes, int64_t skew) {
  const AdamStep step = some_step();
  const Device<AdamStep> device_step(std::vector<AdamStep>{step});
  Set<T> set(sizes, skew);
  std::vector<std::unique_ptr<Device<R>>> copies;
  for (size_t t = 0; t < sizes.size(); ++t) {
    copies.push_back(std::make_unique<Device<R>>(sizes[t], skew));
    if (t % 2 == 0) set.tensors[t].rounded = copies[t]->data(), set.tensors[t].in_bf16 = std::is_same_v<R, bf16>;
  }
  const Device<AdamTensor<T>> tensors(set.tensors);
  adam(Cuda(), device_step.data(), tensors.data(), set.count(), set.total);
  for (size_t t = 0; t < sizes.size(); ++t) {
    const auto values = set.arrays[t * arrays_each]->values();
    const auto found = copies[t]->values();
    for (size_t i = 0; i < found.size(); ++i) {
      const uint16_t expected = t % 2 == 0 ? R(float(values[i + size_t(skew)])).bits : uint16_t(0xffff);
      ASSERT_EQ(found[i].bits, expected) << "tensor " << t << ", " << i;
    }
  }
}

TYPED_TEST(AdamOnDevice, KeepsACopyIn16Bits) {
  for (const auto& sizes : sets) {
    for (const int64_t skew : {0, 1}) {
      expect_rounded<TypeParam, f16>(sizes, skew);
      expect_rounded<TypeParam, bf16>(sizes, skew);
    }
  }
}

TYPED_TEST(AdamOnDevice, ASkippedStepChangesNothing) {
  using T = TypeParam;
  AdamStep step = some_step();
  step.skip = true;
  const Device<AdamStep> device_step(std::vector<AdamStep>{step});
  const Set<T> set({70, 3}, 0);
  const auto before = set.values();
  adam(Cuda(), device_step.data(), set.device->data(), set.count(), set.total);
  EXPECT_EQ(set.values(), before);
}

TYPED_TEST(AdamOnDevice, SumsTheSquaresOfAllGradients) {
  using T = TypeParam;
  for (const auto& sizes : sets) {
    for (const int64_t skew : {0, 1}) {
      const Set<T> set(sizes, skew);
      std::vector<AdamTensor<T>> tensors;
      const auto copies = set.host(tensors, skew);
      double expected = 0;
      for (const auto& tensor : tensors) {
        for (int64_t i = 0; i < tensor.n; ++i) expected += double(tensor.gradient[i]) * double(tensor.gradient[i]);
      }
      const Device<double> squares(1);
      expect_same_again([&] {
        gradient_squares(Cuda(), set.device->data(), set.count(), set.total, squares.data());
        return squares.values();
      });
      EXPECT_NEAR(squares.values()[0], expected, 1e-12 * expected);
    }
  }
  const Device<double> nothing(1);
  gradient_squares<T>(Cuda(), nullptr, 0, 0, nothing.data());
  EXPECT_EQ(nothing.values()[0], 0);
}

/// The device and the host make the same of the same squares, step after step.
TEST(PrepareOnDevice, IsTheHosts) {
  LossScale loss;
  loss.patience = 2;
  AdamStep step;
  const Device<LossScale> device_loss(std::vector<LossScale>{loss});
  const Device<AdamStep> device_step(std::vector<AdamStep>{step});
  for (const double squares : {1e12, infinity<double>, 4e9, std::nan(""), 0.0, 1e9, 1e9}) {
    const Device<double> device_squares(std::vector<double>{squares});
    prepare(0.5, squares, loss, step);
    prepare_step(Cuda(), 0.5, device_squares.data(), device_loss.data(), device_step.data());
    const LossScale found = device_loss.values()[0];
    const AdamStep found_step = device_step.values()[0];
    EXPECT_EQ(found.scale, loss.scale);
    EXPECT_EQ(found.good_steps, loss.good_steps);
    EXPECT_EQ(found.taken, loss.taken);
    EXPECT_EQ(found.skipped, loss.skipped);
    EXPECT_EQ(found_step.skip, step.skip);
    EXPECT_DOUBLE_EQ(found_step.gradient_scale, step.gradient_scale);
    EXPECT_NEAR(found_step.bias1, step.bias1, 1e-15);
    EXPECT_NEAR(found_step.bias2, step.bias2, 1e-15);
  }
}

}  // namespace
}  // namespace kernels
