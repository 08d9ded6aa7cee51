#pragma once
#include "tests/kernels/arrays.h"

/// What the tests of CUDA kernels have in common. The same tests run in the simulated builds and on a card.
namespace kernels {

/// The types that kernels of rows and elements have on a GPU.
using DeviceNumbers = testing::Types<float, double, f16, bf16>;

/// How far a result in T may be from its formula in f64 on the same inputs (relative L2): rounding of the result, and
/// for 16-bit types of what is stored on the way.
template <class T>
constexpr double device_tolerance = sizeof(T) == 8           ? 1e-12
                                    : sizeof(T) == 4         ? 2e-6
                                    : std::is_same_v<T, f16> ? 2e-3
                                                             : 1e-2;

/// Memory of the device: exactly n elements, NaN (all bits 1) until written. Copies from and to the host. The first of
/// them is `skipped` elements past a multiple of 256 bytes.
template <class T>
class Device {
 public:
  explicit Device(int64_t n, int64_t skipped = 0)
      : n_(n), block_(static_cast<T*>(Cuda::allocate((skipped + n) * int64_t(sizeof(T))))), data_(block_ + skipped) {
    const std::vector<uint8_t> ones(size_t(n) * sizeof(T), 0xff);
    Cuda().upload(data_, ones.data(), int64_t(ones.size()));
  }
  explicit Device(const std::vector<T>& values, int64_t skipped = 0) : Device(int64_t(values.size()), skipped) {
    Cuda().upload(data_, values.data(), n_ * int64_t(sizeof(T)));
  }
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;
  ~Device() { Cuda::free(block_); }
  T* data() const { return data_; }
  operator T*() const { return data_; }
  /// The values now; fails the test when a kernel had an error.
  std::vector<T> values() const {
    std::vector<T> result(static_cast<size_t>(n_));
    Cuda().download(result.data(), data_, n_ * int64_t(sizeof(T)));
    const char* const error = Cuda::error();
    EXPECT_EQ(error, nullptr) << error;
    return result;
  }

 private:
  int64_t n_;
  T *block_, *data_;
};

/// The same numbers in f64 (or f32): what the CPU twin is given, so that both see the same rounded inputs.
template <class U, class T>
std::vector<U> as(const std::vector<T>& values) {
  std::vector<U> result;
  for (const T& value : values) result.push_back(U(value));
  return result;
}

/// A gradient kernel, run as `run(Grad)` on the device, must give `expected` when it writes, and add exactly that when
/// it adds.
template <class T, class Run>
void expect_device_gradient(const std::vector<double>& expected, const Run& run, double limit = device_tolerance<T>) {
  const int64_t n = int64_t(expected.size());
  const Device<T> written(n);
  run(Grad<T>{written.data(), false});
  EXPECT_LE(relative_error(written.values(), expected), limit);
  const std::vector<T> before = draw<T>(n, 4242);
  const Device<T> added(before);
  run(Grad<T>{added.data(), true});
  std::vector<double> sum;
  for (int64_t i = 0; i < n; ++i) sum.push_back(double(before[size_t(i)]) + expected[size_t(i)]);
  EXPECT_LE(relative_error(added.values(), sum), limit);
}

/// Twice the same call, the same bits.
template <class Run>
void expect_same_again(const Run& run) {
  const auto once = run(), again = run();
  ASSERT_EQ(once.size(), again.size());
  EXPECT_EQ(std::memcmp(once.data(), again.data(), once.size() * sizeof once[0]), 0);
}

/// Lengths for the simulator: one lane, odd, a warp and one more, past a block. Small, since each thread is a fiber.
inline const std::vector<int64_t> device_lengths = {1, 7, 32, 33, 251, 1031};

/// Lengths of rows that a warp or a block holds in registers, where they begin at a multiple of 16 bytes.
inline const std::vector<int64_t> held_lengths = {8, 264, 520};

/// f(cols, skipped) for rows that are walked by plain teams, and for rows in registers where nothing is skipped.
template <class F>
void for_row_lengths(const F& f) {
  for (const int64_t cols : device_lengths) f(cols, int64_t(0));
  for (const int64_t cols : held_lengths) {
    f(cols, int64_t(0));
    f(cols, int64_t(1));
  }
}

}  // namespace kernels
