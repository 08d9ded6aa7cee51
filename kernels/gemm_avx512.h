#pragma once
#include <immintrin.h>

#include "kernels/gemm_narrow.h"

/// Engines on the dot-product instructions of AVX-512: vdpbf16ps (two bf16 products a lane) and vpdpbusd (four of u8 by
/// s8). Whether the processor has them is asked at run time.
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
  typename Dot::Sum sum[height][2];
#pragma GCC unroll 16
  for (int i = 0; i < height; ++i) sum[i][0] = sum[i][1] = typename Dot::Sum{};
  for (int64_t p = 0; p < units; ++p, a += height, b += narrow_wide) {
    const __m512i left = _mm512_loadu_si512(b), right = _mm512_loadu_si512(b + 16);
#pragma GCC unroll 16
    for (int i = 0; i < height; ++i) {
      const __m512i x = _mm512_set1_epi32(int32_t(a[i]));
      sum[i][0] = Dot::add(sum[i][0], x, left);
      sum[i][1] = Dot::add(sum[i][1], x, right);
    }
  }
  char* const out = static_cast<char*>(to);
#pragma GCC unroll 16
  for (int i = 0; i < height; ++i) {  // one by one: copied as a whole, the sums would live in memory all along
    std::memcpy(out + i * 128, &sum[i][0], 64);
    std::memcpy(out + i * 128 + 64, &sum[i][1], 64);
  }
}

#undef ACE_DOT_PRODUCTS

/// f32 to pairs of bf16 by vcvtne2ps2bf16: as PlainHalves does, but that numbers below 2⁻¹²⁶ become 0.
struct Avx512Halves {
  [[gnu::target("avx512bf16")]] static void of_row(const float* row, int64_t k, int64_t units, uint32_t* to) {
    for (int64_t i = 0; i < units; i += 16) {
      const __m512 low = load(row + 2 * i, k - 2 * i), high = load(row + 2 * i + 16, k - 2 * i - 16);
      _mm512_storeu_si512(to + i, (__m512i)_mm512_cvtne2ps_pbh(high, low));
    }
  }
  [[gnu::target("avx512bf16")]] static void of_columns(const float* columns, int64_t stride, int64_t count, int64_t k,
                                                       int64_t units, int64_t height, uint32_t* to) {
    alignas(64) int16_t places[32];  // word 2j from the first row's j, word 2j + 1 from the second's
    for (int j = 0; j < 32; ++j) places[j] = int16_t(j / 2 + j % 2 * 16);
    const __m512i pairs = _mm512_load_si512(places);
    for (int64_t i = 0; i < units; ++i, columns += 2 * stride, to += height) {
      for (int64_t j = 0; j < height; j += 16) {
        const __m512 first = load(columns + j, 2 * i < k ? count - j : 0);
        const __m512 second = load(columns + stride + j, 2 * i + 1 < k ? count - j : 0);
        const __m512i both = (__m512i)_mm512_cvtne2ps_pbh(second, first);
        _mm512_mask_storeu_epi32(to + j, mask(height - j), _mm512_permutexvar_epi16(pairs, both));
      }
    }
  }

 private:
  static __mmask16 mask(int64_t count) {
    return count >= 16 ? __mmask16(0xffff) : __mmask16((1u << std::max<int64_t>(count, 0)) - 1);
  }
  /// The first `count` of 16 numbers, zeros behind them.
  static __m512 load(const float* from, int64_t count) { return _mm512_maskz_loadu_ps(mask(count), from); }
};

struct Avx512Bf16 : Bf16Engine<Avx512Halves, 14> {
  static void pack_a(Matrix<float> a, int64_t first, int64_t count, int64_t p, int64_t k, uint32_t* to) {
    with_height(count, [&](auto height) { Panel::pack<height.value>(a, first, count, p, k, to); });
  }
  static void tile(int64_t count, int64_t k, const uint32_t* a, const uint32_t* b, float* to) {
    with_height(count, [&](auto height) { dot_tile<Bf16Dot, height.value>(Panel::units(k), a, b, to); });
  }

 private:
  template <class F>
  static void with_height(int64_t count, const F& f) {
    if (count <= 2) return f(std::integral_constant<int, 2>());
    if (count <= 6) return f(std::integral_constant<int, 6>());
    return f(std::integral_constant<int, int(tall)>());
  }
};

struct Avx512Int8 : Int8Engine<14> {
  static void tile(int64_t count, int64_t k, const uint32_t* a, const uint32_t* b, float* to) {
    alignas(64) int32_t sums[tall * wide];
    dot_tile<Int8Dot, int(tall)>(Panel::units(k), a, b, sums);
    finish(count, k, sums, a, b, to);
  }
};

}  // namespace kernels
