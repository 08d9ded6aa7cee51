#pragma once
#include <immintrin.h>

#include "kernels/gemm_narrow.h"

/// Engines on the dot-product instructions of AVX-512: vdpbf16ps (two bf16 products a lane) and vpdpbusd (four of u8 by
/// s8). Only this file and gemm_amx.h speak of instructions; whether the processor has them is asked at run time.
namespace kernels {

#define ACE_DOT_PRODUCTS gnu::target("avx512bf16,avx512vnni"), gnu::noinline

/// Σ over units of a tile of `height` rows; Dot says how two units multiply.
struct Bf16Dot {
  using Sum = __m512;
  [[gnu::target("avx512bf16"), gnu::always_inline]] static Sum add(Sum sum, __m512i a, __m512i b) {
    return _mm512_dpbf16_ps(sum, (__m512bh)a, (__m512bh)b);
  }
};
struct Int8Dot {
  using Sum = __m512i;
  [[gnu::target("avx512vnni"), gnu::always_inline]] static Sum add(Sum sum, __m512i a, __m512i b) {
    return _mm512_dpbusd_epi32(sum, a, b);
  }
};

template <class Dot, int height>
[[ACE_DOT_PRODUCTS]] void dot_tile(int64_t units, const uint32_t* __restrict a, const uint32_t* __restrict b,
                                   void* __restrict to) {
  typename Dot::Sum sum[height][2] = {};
  for (int64_t p = 0; p < units; ++p, a += height, b += narrow_wide) {
    const __m512i left = _mm512_loadu_si512(b), right = _mm512_loadu_si512(b + 16);
#pragma GCC unroll 16
    for (int i = 0; i < height; ++i) {
      const __m512i x = _mm512_set1_epi32(int32_t(a[i]));
      sum[i][0] = Dot::add(sum[i][0], x, left);
      sum[i][1] = Dot::add(sum[i][1], x, right);
    }
  }
  std::memcpy(to, sum, sizeof sum);
}

#undef ACE_DOT_PRODUCTS

struct Avx512Bf16 {
  using Source = float;
  using Unit = uint32_t;
  struct Session {};
  static constexpr int64_t tall = 14, wide = narrow_wide;
  static constexpr int64_t step = Bf16Panel::step, step_bytes = Bf16Panel::step_bytes;
  static int64_t a_units(int64_t k) { return tall * Bf16Panel::units(k); }
  static int64_t b_units(int64_t k) { return wide * Bf16Panel::units(k); }
  static void pack_a(Matrix<float> a, int64_t first, int64_t count, int64_t p, int64_t k, uint32_t* to) {
    with_height(count, [&](auto height) { Bf16Panel::pack<height.value>(a, first, count, p, k, to); });
  }
  static void pack_b(Matrix<float> b, int64_t first, int64_t count, int64_t p, int64_t k, uint32_t* to) {
    Bf16Panel::pack<int(wide)>(transposed(b), first, count, p, k, to);
  }
  static void tile(int64_t count, int64_t k, const uint32_t* a, const uint32_t* b, float* to) {
    with_height(count, [&](auto height) { dot_tile<Bf16Dot, height.value>(Bf16Panel::units(k), a, b, to); });
  }
  template <class F>
  static void with_height(int64_t count, const F& f) {
    if (count <= 2) return f(std::integral_constant<int, 2>());
    if (count <= 6) return f(std::integral_constant<int, 6>());
    return f(std::integral_constant<int, int(tall)>());
  }
};

struct Avx512Int8 {
  using Source = float;
  using Unit = uint32_t;
  struct Session {};
  static constexpr int64_t tall = 14, wide = narrow_wide;
  static constexpr int64_t step = Int8Panel::step, step_bytes = Int8Panel::step_bytes;
  static int64_t a_units(int64_t k) { return Int8Panel::panel_units(tall, k); }
  static int64_t b_units(int64_t k) { return Int8Panel::panel_units(wide, k); }
  static void pack_a(Matrix<float> a, int64_t first, int64_t count, int64_t p, int64_t k, uint32_t* to) {
    Int8Panel::pack<int(tall)>(a, first, count, p, k, 128, to);
  }
  static void pack_b(Matrix<float> b, int64_t first, int64_t count, int64_t p, int64_t k, uint32_t* to) {
    Int8Panel::pack<int(wide)>(transposed(b), first, count, p, k, 0, to);
  }
  static void tile(int64_t count, int64_t k, const uint32_t* a, const uint32_t* b, float* to) {
    alignas(64) int32_t sums[tall * wide];
    dot_tile<Int8Dot, int(tall)>(Int8Panel::units(k), a, b, sums);
    Int8Panel::finish(count, wide, sums, a + tall * Int8Panel::units(k), b + wide * Int8Panel::units(k), to);
  }
};

}  // namespace kernels
