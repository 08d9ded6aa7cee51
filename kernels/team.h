#pragma once
#include "kernels/math.h"
#include "kernels/number.h"

namespace kernels {

/// Who walks a row. Row formulas are written once, over a team: OneThread here; Warp and Block on a GPU, where each
/// lane takes every 32nd (or blockDim-th) element and sums go through shuffles. f(i) must not depend on other elements
/// that the same call writes.
struct OneThread {
  /// f(i) for every i.
  template <class F>
  void each(int64_t n, F f) const {
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) f(i);
  }
  /// Σ_i f(i).
  template <class F>
  auto sum(int64_t n, F f) const {
    decltype(f(int64_t(0))) total = 0;
#pragma omp simd reduction(+ : total)
    for (int64_t i = 0; i < n; ++i) total += f(i);
    return total;
  }
  /// max_i f(i); −∞ for n = 0. A NaN anywhere gives NaN: it must be seen, not skipped.
  template <class F>
  auto max(int64_t n, F f) const {
    using A = decltype(f(int64_t(0)));
    A best = -infinity<A>, poison = 0;
#pragma omp simd reduction(max : best) reduction(+ : poison)
    for (int64_t i = 0; i < n; ++i) {
      const A value = f(i);
      best = value > best ? value : best;
      poison += value == value ? A(0) : value;
    }
    return best + poison;
  }
};

}  // namespace kernels
