#include "kernels/nearest.h"

#include <algorithm>
#include <array>

#include "kernels/gemm.h"
#include "kernels/rows.h"
#include "kernels/sums.h"

namespace kernels {
namespace {

constexpr int64_t block_elements = int64_t(1) << 18;  // of x·e: stays in the second-level cache

int64_t block_rows(int64_t n, int64_t k) {
  return std::min(n, std::clamp<int64_t>(block_elements / std::max<int64_t>(k, 1), 64, 1024));
}

/// ‖x − e‖² in f64. Never inlined, so that every caller gets the same bits.
template <class T>
[[gnu::noinline]] double exact_distance(const T* x, const T* e, int64_t d) {
  return quick_sum<double>(d, [=](int64_t i) {
    const double difference = double(x[i]) - double(e[i]);
    return difference * difference;
  });
}

template <class T>
T squared_norm(const T* x, int64_t d) {
  return quick_sum<T>(d, [=](int64_t i) { return x[i] * x[i]; });
}

struct Winner {
  int32_t index = -1;
  double distance = infinity<double>;
};

/// The nearest of the codes that pass the filter; a smaller distance wins, then the smaller index.
template <class T, class Filter>
Winner nearest_of(const T* x, const T* e, int64_t k, int64_t d, const Filter& may_win) {
  Winner best;
  for (int64_t j = 0; j < k; ++j) {
    if (!may_win(j)) continue;
    const double distance = exact_distance(x, e + j * d, d);
    if (distance < best.distance) best = {int32_t(j), distance};
  }
  return best;
}

template <class T>
void store(Winner winner, int32_t* index, T* distance) {
  *index = std::max(winner.index, 0);
  if (distance != nullptr) *distance = winner.index < 0 ? std::numeric_limits<T>::quiet_NaN() : T(winner.distance);
}

/// The codes' squared norms, and how far two scores of one row can lie on the wrong side of each other.
template <class T>
struct Codes {
  const T* e;
  const T* norms;
  T largest;  ///< max_j ‖e_j‖
  int64_t k, d;

  /// A sum of d products is off by at most (d + 2) u Σ|terms|, in whatever order it is taken (u = ε/2), and
  /// Σ|x_i e_i| ≤ ‖x‖ ‖e‖; twice that, for two scores; and what underflow can lose.
  T tolerance(T x_norm) const {
    using Limits = std::numeric_limits<T>;
    return T(d + 4) * (Limits::epsilon() * largest * (largest + 2 * x_norm) + Limits::min());
  }
};

/// One row, given products_j = −2 x·e_j. The conditions are such that a NaN or an overflow makes a code a candidate.
template <class T>
Winner nearest_code(const Codes<T>& codes, const T* x, const T* products) {
  const T* norms = codes.norms;
  T lowest = infinity<T>;
#pragma omp simd reduction(min : lowest)
  for (int64_t j = 0; j < codes.k; ++j) {
    const T score = norms[j] + products[j];
    lowest = score < lowest ? score : lowest;
  }
  const T limit = lowest + codes.tolerance(std::sqrt(squared_norm(x, codes.d)));
  uint32_t candidates = 0, where = 0;  // the sum of the candidates' indices: of the one, when there is one
  const int32_t count = int32_t(codes.k);
#pragma omp simd reduction(+ : candidates, where)
  for (int32_t j = 0; j < count; ++j) {
    const bool candidate = !(norms[j] + products[j] > limit);
    candidates += candidate ? 1u : 0u;
    where += candidate ? uint32_t(j) : 0u;
  }
  if (candidates == 1) {
    const double distance = exact_distance(x, codes.e + int64_t(where) * codes.d, codes.d);
    return distance < infinity<double> ? Winner{int32_t(where), distance} : Winner{};
  }
  return nearest_of(x, codes.e, codes.k, codes.d, [&](int64_t j) { return !(norms[j] + products[j] > limit); });
}

/// ‖x_i − e_i‖² of four pairs of n numbers: sums that do not wait for each other.
template <class T>
[[gnu::always_inline]] inline std::array<T, 4> four_distances(std::array<const T*, 4> x, std::array<const T*, 4> e,
                                                              int64_t n) {
  const auto [x0, x1, x2, x3] = x;
  const auto [e0, e1, e2, e3] = e;
  T a = 0, b = 0, c = 0, f = 0;
#pragma omp simd reduction(+ : a, b, c, f)
  for (int64_t i = 0; i < n; ++i) {
    a += (x0[i] - e0[i]) * (x0[i] - e0[i]);
    b += (x1[i] - e1[i]) * (x1[i] - e1[i]);
    c += (x2[i] - e2[i]) * (x2[i] - e2[i]);
    f += (x3[i] - e3[i]) * (x3[i] - e3[i]);
  }
  return {a, b, c, f};
}

/// Of one pair, quarter by quarter.
template <class T>
T squared_distance(const T* x, const T* e, int64_t d) {
  const int64_t part = d / 4;
  const auto [a, b, c, f] =
      four_distances<T>({x, x + part, x + 2 * part, x + 3 * part}, {e, e + part, e + 2 * part, e + 3 * part}, part);
  T rest = 0;
  for (int64_t i = 4 * part; i < d; ++i) rest += (x[i] - e[i]) * (x[i] - e[i]);
  return ((a + b) + (c + f)) + rest;
}

}  // namespace

int64_t nearest_scratch(Cpu, int64_t n, int64_t k) { return (block_rows(n, k) + 1) * k; }

template <class T>
void nearest(Cpu cpu, const T* x, const T* e, int32_t* index, T* distance, int64_t n, int64_t k, int64_t d,
             T* scratch) {
  const int64_t block = block_rows(n, k);
  T* norms = scratch;
  T* products = scratch + k;
  T largest = 0;
  for_rows(cpu, k, 2 * d, [=](auto, int64_t j) { norms[j] = squared_norm(e + j * d, d); });
  for (int64_t j = 0; j < k; ++j) largest = norms[j] > largest ? norms[j] : largest;
  const Codes<T> codes{e, norms, std::sqrt(largest), k, d};
  for (int64_t first = 0; first < n; first += block) {
    const int64_t rows = std::min(block, n - first);
    const T* begin = x + first * d;
    gemm(cpu, rows, k, d, T(-2), {begin, d}, {e, d, true}, T(0), products, k);
    for_rows(cpu, rows, 2 * k + 4 * d, [=, &codes](auto, int64_t r) {
      store(nearest_code(codes, begin + r * d, products + r * k), index + first + r,
            distance == nullptr ? nullptr : distance + first + r);
    });
  }
}

template <class T>
void nearest_plain(const T* x, const T* e, int32_t* index, T* distance, int64_t n, int64_t k, int64_t d) {
  for (int64_t r = 0; r < n; ++r) {
    store(nearest_of(x + r * d, e, k, d, [](int64_t) { return true; }), index + r,
          distance == nullptr ? nullptr : distance + r);
  }
}

// Four rows at a time, so that a code is loaded once for all four. Which rows stand together does not depend on the
// threads.
template <class T>
void squared_distances(Cpu cpu, const T* x, const T* e, T* y, int64_t n, int64_t k, int64_t d) {
  constexpr int64_t tall = 4;
  cpu.parallel((n + tall - 1) / tall, 3 * tall * k * d, [=](int64_t begin, int64_t end) {
    int64_t r = begin * tall;
    for (; r + tall <= std::min(end * tall, n); r += tall) {
      const T* const row = x + r * d;
      for (int64_t j = 0; j < k; ++j) {
        const T* const code = e + j * d;
        const auto found = four_distances<T>({row, row + d, row + 2 * d, row + 3 * d}, {code, code, code, code}, d);
        for (int64_t i = 0; i < tall; ++i) y[(r + i) * k + j] = found[size_t(i)];
      }
    }
    for (; r < std::min(end * tall, n); ++r) {
      for (int64_t j = 0; j < k; ++j) y[r * k + j] = squared_distance(x + r * d, e + j * d, d);
    }
  });
}

#define ACE_INSTANTIATE(T)                                                                     \
  template void nearest(Cpu, const T*, const T*, int32_t*, T*, int64_t, int64_t, int64_t, T*); \
  template void nearest_plain(const T*, const T*, int32_t*, T*, int64_t, int64_t, int64_t);    \
  template void squared_distances(Cpu, const T*, const T*, T*, int64_t, int64_t, int64_t);
ACE_INSTANTIATE(float)
ACE_INSTANTIATE(double)

}  // namespace kernels
