#pragma once
#include "kernels/gemm_blocks.h"
#include "kernels/team.h"

/// Panels of 16-bit and 8-bit numbers. A unit is four bytes: what one lane of a dot-product instruction takes at a
/// time, two neighbours along k in bf16, four in int8. Panels are padded with zeros to whole steps of 64 bytes along k.
namespace kernels {

/// Columns of a B panel where the engine does not say otherwise: two vectors of AVX-512, two tiles of AMX.
inline constexpr int64_t narrow_wide = 32;

/// x rounded to bf16, as the upper half of 32 bits.
inline uint32_t upper_half(float x) {
  const uint32_t u = std::bit_cast<uint32_t>(x);
  const uint32_t rounded = u + 0x7fff + (u >> 16 & 1);
  return ((u & 0x7fffffffu) > 0x7f800000u ? u | 0x400000u : rounded) & 0xffff0000u;
}

/// f32 to pairs of bf16, in plain C++. (Avx512Halves in gemm_avx512.h: by the instructions for it.)
struct PlainHalves {
  /// to[i] = the pair (row[2i], row[2i + 1]); zeros past k.
  static void of_row(const float* row, int64_t k, int64_t units, uint32_t* to) {
    OneThread{}.each(k / 2, [=](int64_t i) { to[i] = upper_half(row[2 * i]) >> 16 | upper_half(row[2 * i + 1]); });
    std::fill(to + k / 2, to + units, 0);
    if (k % 2) to[k / 2] = upper_half(row[k - 1]) >> 16;
  }
  /// to[i · height + j] = the pair (columns[2i · stride + j], columns[(2i + 1) · stride + j]); zeros past k and count.
  static void of_columns(const float* columns, int64_t stride, int64_t count, int64_t k, int64_t units, int64_t height,
                         uint32_t* to) {
    std::fill(to, to + units * height, 0);
    for (int64_t p = 0; p < k; ++p, columns += stride) {
      uint32_t* const pair = to + p / 2 * height;
      if (p % 2 == 0) {
        OneThread{}.each(count, [=](int64_t j) { pair[j] = upper_half(columns[j]) >> 16; });
      } else {
        OneThread{}.each(count, [=](int64_t j) { pair[j] |= upper_half(columns[j]); });
      }
    }
  }
};

/// Pairs of bf16 along k: `height` rows, [k/2][height].
template <class Halves>
struct Bf16Panel {
  static constexpr int64_t step = 32, step_bytes = 64;
  static int64_t units(int64_t k) { return round_up(k, step) / 2; }

  template <int height>
  static void pack(Matrix<float> x, int64_t first, int64_t count, int64_t p, int64_t k, uint32_t* to) {
    if (!x.transposed) return pack_rows<height>(x.data + first * x.stride + p, x.stride, count, k, to);
    Halves::of_columns(x.data + p * x.stride + first, x.stride, count, k, units(k), height, to);
  }

 private:
  /// Some 256 elements at a time, so that the converted rows stay in the first-level cache.
  template <int height>
  static void pack_rows(const float* rows, int64_t stride, int64_t count, int64_t k, uint32_t* to) {
    constexpr int64_t piece = 256;
    uint32_t converted[height * piece / 2];
    for (int64_t first = 0; first < k; first += piece, to += height * piece / 2) {
      const int64_t deep = std::min(piece, k - first);
      for (int64_t i = 0; i < count; ++i) {
        Halves::of_row(rows + i * stride + first, deep, units(deep), converted + i * piece / 2);
      }
      interleave_rows<height>(converted, piece / 2, count, units(deep), to);
    }
  }
};

/// Quads of int8 along k, then what turns integer sums into numbers: x ≈ scale · q, |q| ≤ 127, with a scale per row and
/// block of k, the largest magnitude / 127. A holds q + 128 (the instructions multiply unsigned by signed), so
/// Σ q_a q_b = Σ (q_a + 128) q_b − 128 Σ q_b, and B carries its Σ q.
struct Int8Panel {
  static constexpr int64_t step = 64, step_bytes = 64;
  static int64_t units(int64_t k) { return round_up(k, step) / 4; }
  /// One row's q + offset, and where `sum` is wanted Σ q; returns its scale. A row with a number that is not finite has
  /// scale NaN.
  static float quantise(const float* row, int64_t k, int32_t offset, uint8_t* to, int32_t* sum) {
    const float largest = OneThread{}.max(k, [=](int64_t i) { return std::fabs(row[i]); });
    const bool usable = largest <= std::numeric_limits<float>::max();
    const float scale = largest / 127, inverse = usable && scale >= std::numeric_limits<float>::min() ? 1 / scale : 0;
    const auto nearest = [=](int64_t i) {  // adding 1.5 · 2²³ rounds to integers
      return std::bit_cast<int32_t>(row[i] * inverse + 12582912.0f) - 0x4b400000;
    };
    std::fill(to + k, to + 4 * units(k), uint8_t(0));
    if (!usable) {
      std::fill_n(to, k, uint8_t(0));
      return std::numeric_limits<float>::quiet_NaN();
    }
    if (sum) *sum = OneThread{}.sum(k, nearest);
    OneThread{}.each(k, [=](int64_t i) { to[i] = uint8_t(nearest(i) + offset); });
    return inverse == 0 ? 0 : scale;
  }

  /// A panel: units(k) rows of `height` quads, then `height` scales, then `height` sums.
  static int64_t panel_units(int64_t height, int64_t k) { return height * (units(k) + 2); }
  /// Rows one after the other, units(k) units each, and their scales and sums.
  static void quantise_rows(Matrix<float> x, int64_t first, int64_t count, int64_t height, int64_t p, int64_t k,
                            int offset, uint32_t* rows, uint32_t* scales) {
    float column[depth_bytes];
    std::fill(scales, scales + 2 * height, 0);
    for (int64_t i = 0; i < count; ++i) {
      const float* row = x.data + (first + i) * x.stride + p;
      if (x.transposed) {
        for (int64_t q = 0; q < k; ++q) column[q] = x.data[(p + q) * x.stride + first + i];
        row = column;
      }
      int32_t sum = 0;
      const float scale =
          quantise(row, k, offset, reinterpret_cast<uint8_t*>(rows + i * units(k)), offset == 0 ? &sum : nullptr);
      scales[i] = std::bit_cast<uint32_t>(scale);
      scales[height + i] = std::bit_cast<uint32_t>(sum);
    }
  }
  template <int height>
  static void pack(Matrix<float> x, int64_t first, int64_t count, int64_t p, int64_t k, int offset, uint32_t* to) {
    uint32_t rows[height * depth_bytes / 4];
    quantise_rows(x, first, count, height, p, k, offset, rows, to + height * units(k));
    interleave_rows<height>(rows, units(k), count, units(k), to);
  }
};

/// What engines have in common whose panels are these; each adds how it computes a tile.
template <class Halves, int64_t rows>
struct Bf16Engine {
  using Panel = Bf16Panel<Halves>;
  using Source = float;
  using Unit = uint32_t;
  struct Session {};
  static constexpr int64_t tall = rows, wide = narrow_wide, step = Panel::step, step_bytes = Panel::step_bytes;
  static int64_t a_units(int64_t k) { return tall * Panel::units(k); }
  static int64_t b_units(int64_t k) { return wide * Panel::units(k); }
  static void pack_a(Matrix<float> a, int64_t first, int64_t count, int64_t p, int64_t k, uint32_t* to) {
    Panel::template pack<int(tall)>(a, first, count, p, k, to);
  }
  static void pack_b(Matrix<float> b, int64_t first, int64_t count, int64_t p, int64_t k, uint32_t* to) {
    Panel::template pack<int(wide)>(transposed(b), first, count, p, k, to);
  }
};

template <int64_t rows, int64_t columns = narrow_wide>
struct Int8Engine {
  using Panel = Int8Panel;
  using Source = float;
  using Unit = uint32_t;
  struct Session {};
  static constexpr int64_t tall = rows, wide = columns, step = Panel::step, step_bytes = Panel::step_bytes;
  static int64_t a_units(int64_t k) { return Panel::panel_units(tall, k); }
  static int64_t b_units(int64_t k) { return Panel::panel_units(wide, k); }
  static void pack_a(Matrix<float> a, int64_t first, int64_t count, int64_t p, int64_t k, uint32_t* to) {
    Panel::pack<int(tall)>(a, first, count, p, k, 128, to);
  }
  static void pack_b(Matrix<float> b, int64_t first, int64_t count, int64_t p, int64_t k, uint32_t* to) {
    Panel::pack<int(wide)>(transposed(b), first, count, p, k, 0, to);
  }
  /// to_ij = scale_i scale_j (sum_ij − 128 Σ q_j), for `count` rows of a tile of integer sums.
  static void finish(int64_t count, int64_t k, const int32_t* sums, const uint32_t* a, const uint32_t* b, float* to) {
    const uint32_t *a_scales = a + tall * Panel::units(k), *b_scales = b + wide * Panel::units(k);
    for (int64_t i = 0; i < count; ++i, sums += wide, to += wide) {
      const float scale = std::bit_cast<float>(a_scales[i]);
      OneThread{}.each(wide, [=](int64_t j) {
        const int32_t exact = sums[j] - 128 * int32_t(b_scales[wide + j]);
        to[j] = scale * std::bit_cast<float>(b_scales[j]) * float(exact);
      });
    }
  }
};

}  // namespace kernels
