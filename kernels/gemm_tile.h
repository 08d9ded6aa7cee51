#pragma once
#include "kernels/gemm_blocks.h"

namespace kernels {

/// Full precision: a tile's sums stay in vector registers while k runs; each step multiplies two vectors of B by one
/// element of each row of A. 14 rows fill the 32 registers of AVX-512, 6 the 16 of its forerunners.
template <class T>
struct VectorEngine {
  using Source = T;
  using Unit = T;
  struct Session {};
  static constexpr int64_t tall = vector_bytes == 64 ? 14 : 6, wide = 2 * lanes<T>;
  static constexpr int64_t step = 1, step_bytes = sizeof(T);
  static int64_t a_units(int64_t k) { return tall * k; }
  static int64_t b_units(int64_t k) { return wide * k; }

  /// Calls f with the number of rows that a panel of `count` rows is computed as: a compile-time constant.
  template <class F>
  static void with_height(int64_t count, const F& f) {
    if (count == 1) return f(std::integral_constant<int, 1>());
    if (count == 2) return f(std::integral_constant<int, 2>());
    if (count <= 4) return f(std::integral_constant<int, 4>());
    if (tall > 8 && count <= 8) return f(std::integral_constant<int, 8>());
    return f(std::integral_constant<int, int(tall)>());
  }

  static void pack_a(Matrix<T> a, int64_t first, int64_t count, int64_t p, int64_t k, T* to) {
    with_height(count, [&](auto height) { pack_panel<height.value>(a, first, count, p, k, to); });
  }
  static void pack_b(Matrix<T> b, int64_t first, int64_t count, int64_t p, int64_t k, T* to) {
    pack_panel<int(wide)>(transposed(b), first, count, p, k, to);
  }
  /// B's numbers are T, or the upper halves of f32 (gemm_portable.h).
  template <class Kept>
  static void tile(int64_t count, int64_t k, const T* a, const Kept* b, T* to) {
    with_height(count, [&](auto height) { tile_of<height.value>(k, a, b, to); });
  }

 private:
  static Vector<T> load_kept(const T* from) { return load(from); }
  static Vector<T> load_kept(const uint16_t* from) { return Vector<T>(load_wider(from) << 16); }

  template <int height, class Kept>
  [[gnu::noinline]] static void tile_of(int64_t k, const T* __restrict a, const Kept* __restrict b, T* __restrict to) {
    constexpr int w = lanes<T>;
    Vector<T> sum[height][2] = {};
    for (int64_t p = 0; p < k; ++p, a += height, b += 2 * w) {
      const Vector<T> left = load_kept(b), right = load_kept(b + w);
#pragma GCC unroll 16
      for (int i = 0; i < height; ++i) {
        sum[i][0] += a[i] * left;
        sum[i][1] += a[i] * right;
      }
    }
#pragma GCC unroll 16
    for (int i = 0; i < height; ++i) {
      store(to + i * wide, sum[i][0]);
      store(to + i * wide + w, sum[i][1]);
    }
  }
};

}  // namespace kernels
