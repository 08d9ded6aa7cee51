#pragma once
#include <immintrin.h>

#include "kernels/gemm_narrow.h"
#include "kernels/gemm_tile.h"

/// int8 for processors that lack dot products of bytes: (v)pmaddwd multiplies neighbours along k in 16 bits and adds
/// each two products in 32, exactly. It is in every level of x86-64, as wide as the vectors.
namespace kernels {

inline Vector<int32_t> add_products(Vector<int32_t> sum, Vector<int16_t> a, Vector<int16_t> b) {
#if defined(__AVX512BW__)
  return sum + Vector<int32_t>(_mm512_madd_epi16(__m512i(a), __m512i(b)));
#elif defined(__AVX2__)
  return sum + Vector<int32_t>(_mm256_madd_epi16(__m256i(a), __m256i(b)));
#else
  return sum + Vector<int32_t>(_mm_madd_epi16(__m128i(a), __m128i(b)));
#endif
}

/// B stays in bytes, pairs along k side by side, and is widened as a tile loads it: as fast as from panels of 16 bits,
/// in half the memory. A is in 16 bits: a pair fills a lane.
struct PairsInt8 : Int8Engine<VectorEngine<float>::tall, VectorEngine<float>::wide> {
  static int64_t a_units(int64_t k) { return Panel::panel_units(tall, k) + tall * Panel::units(k); }

  /// Quads are packed behind, then spread to the front: [k/2][tall] pairs, then scales.
  static void pack_a(Matrix<float> a, int64_t first, int64_t count, int64_t p, int64_t k, uint32_t* to) {
    const int64_t quads = Panel::units(k);
    Panel::pack<int(tall)>(a, first, count, p, k, 128, to + quads * tall);
    for (int64_t i = 0; i < quads; ++i) {
      for (int64_t j = 0; j < tall; ++j) {
        const uint32_t quad = to[(quads + i) * tall + j];
        to[2 * i * tall + j] = (quad & 0xff) | (quad & 0xff00) << 8;
        to[(2 * i + 1) * tall + j] = (quad >> 16 & 0xff) | (quad >> 24) << 16;
      }
    }
  }
  /// A row of quads becomes two rows of pairs in its place.
  static void pack_b(Matrix<float> b, int64_t first, int64_t count, int64_t p, int64_t k, uint32_t* to) {
    Int8Engine::pack_b(b, first, count, p, k, to);
    for (int64_t i = 0; i < Panel::units(k); ++i, to += wide) {
      uint16_t pairs[2 * wide];
      OneThread{}.each(wide, [&](int64_t j) {
        pairs[j] = uint16_t(to[j]);
        pairs[wide + j] = uint16_t(to[j] >> 16);
      });
      std::memcpy(to, pairs, sizeof pairs);
    }
  }
  static void tile(int64_t count, int64_t k, const uint32_t* a, const uint32_t* b, float* to) {
    alignas(64) int32_t sums[tall * wide];
    VectorEngine<float>::with_height(count, [&](auto height) {
      sum_pairs<height.value>(2 * Panel::units(k), a, reinterpret_cast<const int8_t*>(b), sums);
    });
    finish(count, k, sums, a + tall * Panel::units(k), b, to);
  }

 private:
  template <int height>
  [[gnu::noinline]] static void sum_pairs(int64_t pairs, const uint32_t* __restrict a, const int8_t* __restrict b,
                                          int32_t* __restrict to) {
    constexpr int w = lanes<int32_t>;
    Vector<int32_t> sum[height][2] = {};
    for (int64_t p = 0; p < pairs; ++p, a += tall, b += 4 * w) {
      const Vector<int16_t> left = load_wider(b), right = load_wider(b + 2 * w);
#pragma GCC unroll 16
      for (int i = 0; i < height; ++i) {
        const auto x = Vector<int16_t>(a[i] - Vector<uint32_t>{});
        sum[i][0] = add_products(sum[i][0], x, left);
        sum[i][1] = add_products(sum[i][1], x, right);
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
