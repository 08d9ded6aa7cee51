#pragma once
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "kernels/backend.h"
#include "kernels/philox.h"

/// What the tests of kernels have in common: drawn inputs, guarded outputs, comparisons.
namespace kernels {

using Numbers = testing::Types<float, double>;

/// Lengths around vectors and blocks: 1, odd, prime, one past.
inline const std::vector<int64_t> lengths = {1, 2, 7, 16, 17, 31, 65, 128, 251, 1000, 4099};

/// n numbers between low and high, the same on every machine.
template <class T>
std::vector<T> draw(int64_t n, uint64_t seed, double low = -2, double high = 2) {
  std::vector<T> values;
  for (int64_t i = 0; i < n; ++i) {
    values.push_back(T(low + (high - low) * uniform_from(philox(seed, uint64_t(i), 77).v[0])));
  }
  return values;
}

/// Memory for a result: NaN before, and a guard on both sides that must be there afterwards.
template <class T>
class Output {
 public:
  explicit Output(int64_t n) : n_(n), memory_(size_t(n + 2 * guard), std::numeric_limits<T>::quiet_NaN()) {
    for (int64_t i = 0; i < guard; ++i) memory_[size_t(i)] = memory_[size_t(n + guard + i)] = T(12345);
  }
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;
  ~Output() {
    for (int64_t i = 0; i < guard; ++i) {
      EXPECT_EQ(memory_[size_t(i)], T(12345)) << "written before the first element";
      EXPECT_EQ(memory_[size_t(n_ + guard + i)], T(12345)) << "written past element " << n_;
    }
  }
  T* data() { return memory_.data() + guard; }
  operator T*() { return data(); }
  std::vector<T> values() const { return {memory_.begin() + guard, memory_.begin() + guard + n_}; }

 private:
  static constexpr int64_t guard = 32;
  int64_t n_;
  std::vector<T> memory_;
};

/// ‖found − expected‖ / ‖expected‖; NaN and ∞ must stand in the same places.
template <class T, class U>
double relative_error(const std::vector<T>& found, const std::vector<U>& expected) {
  EXPECT_EQ(found.size(), expected.size());
  double difference = 0, norm = 0;
  for (size_t i = 0; i < expected.size(); ++i) {
    const double x = double(found[i]), y = double(expected[i]);
    if (std::isnan(y) && std::isnan(x)) continue;
    if (std::isinf(y) && x == y) continue;
    difference += (x - y) * (x - y), norm += y * y;
  }
  return norm > 0 ? std::sqrt(difference / norm) : std::sqrt(difference);
}

/// How far T may be from f64.
template <class T>
constexpr double tolerance = sizeof(T) == 4 ? 1e-6 : 1e-12;

/// A gradient kernel, run as `run(Grad)`, must give `expected` when it writes, and add exactly that when it adds.
template <class T, class Run>
void expect_gradient(const std::vector<double>& expected, const Run& run, double limit = tolerance<T>) {
  const int64_t n = int64_t(expected.size());
  Output<T> written(n), added(n);
  run(Grad<T>{written.data(), false});
  EXPECT_LE(relative_error(written.values(), expected), limit);
  const std::vector<T> before = draw<T>(n, 4242);
  std::copy(before.begin(), before.end(), added.data());
  run(Grad<T>{added.data(), true});
  std::vector<double> sum;
  for (int64_t i = 0; i < n; ++i) sum.push_back(double(before[size_t(i)]) + expected[size_t(i)]);
  EXPECT_LE(relative_error(added.values(), sum), limit);
}

/// The result, as bits, must not depend on how many threads compute it: run() gives the result.
template <class Run>
void expect_same_for_any_threads(const Run& run) {
  set_threads(1);
  const auto one = run();
  for (int threads : {2, 3, 5}) {
    set_threads(threads);
    const auto many = run();
    ASSERT_EQ(one.size(), many.size());
    EXPECT_EQ(std::memcmp(one.data(), many.data(), one.size() * sizeof one[0]), 0) << threads << " threads";
  }
  set_threads(0);
}

}  // namespace kernels
