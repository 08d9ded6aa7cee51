#pragma once
#include <algorithm>

#include "kernels/backend.h"
#include "kernels/team.h"

namespace kernels {

/// The CPU's ways to sum so that the result does not depend on the number of threads: the order of the additions is
/// fixed by the sizes, threads only share the independent parts. Long sums are made of sums of short blocks, and those
/// are added up in f64, so that the rounding error does not grow with the length.

/// Σ f(i), i in begin … end−1, by one thread.
template <class F>
double sum_range(int64_t begin, int64_t end, const F& f) {
  constexpr int64_t block = 512;
  double total = 0;
  for (int64_t first = begin; first < end; first += block) {
    total += double(OneThread().sum(std::min(block, end - first), [=](int64_t i) { return f(first + i); }));
  }
  return total;
}

/// Σ f(i), i in 0 … n−1, by one thread, as four sums side by side: one alone would wait for each of its additions.
template <class A, class F>
A quick_sum(int64_t n, F f) {
  const int64_t quarter = n / 4;
  A a = 0, b = 0, c = 0, d = 0;
#pragma omp simd reduction(+ : a, b, c, d)
  for (int64_t i = 0; i < quarter; ++i) {
    a += f(i);
    b += f(quarter + i);
    c += f(2 * quarter + i);
    d += f(3 * quarter + i);
  }
  for (int64_t i = 4 * quarter; i < n; ++i) d += f(i);
  return (a + b) + (c + d);
}

/// Σ f(i), i in 0 … n−1: at most 64 ranges for the threads to share, then the ranges in order.
template <class F>
double sum_all(Cpu cpu, int64_t n, const F& f) {
  constexpr int64_t most = 64, shortest = 1024;
  const int64_t length = std::max((n + most - 1) / most, shortest), ranges = (n + length - 1) / length;
  double part[most];
  cpu.parallel(ranges, 2 * length, [&](int64_t begin, int64_t end) {
    for (int64_t p = begin; p < end; ++p) part[p] = sum_range(p * length, std::min((p + 1) * length, n), f);
  });
  double total = 0;
  for (int64_t p = 0; p < ranges; ++p) total += part[p];
  return total;
}

/// Column sums of `outer` matrices [rows, cols]: Σ_r row(o, r)(c), where row(o, r) gives the function of a column. They
/// come in blocks of columns: store(o, first, width, total) takes the sums of columns first … first+width−1 as doubles.
template <class A, class Row, class Store>
void sum_columns(Cpu cpu, int64_t outer, int64_t rows, int64_t cols, const Row& row, const Store& store) {
  constexpr int64_t wide = 128, tall = 32;
  const int64_t blocks = (cols + wide - 1) / wide;
  cpu.parallel(outer * blocks, 2 * rows * std::min(cols, wide), [&](int64_t begin, int64_t end) {
    for (int64_t unit = begin; unit < end; ++unit) {
      const int64_t o = unit / blocks, first = unit % blocks * wide, width = std::min(wide, cols - first);
      double total[wide] = {};
      for (int64_t top = 0; top < rows; top += tall) {
        A part[wide] = {};
        for (int64_t r = top; r < std::min(top + tall, rows); ++r) {
          const auto element = row(o, r);
          OneThread().each(width, [&part, element, first](int64_t c) { part[c] += element(first + c); });
        }
        OneThread().each(width, [&](int64_t c) { total[c] += double(part[c]); });
      }
      store(o, first, width, total);
    }
  });
}

}  // namespace kernels
