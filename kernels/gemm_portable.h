#pragma once
#include "kernels/gemm_narrow.h"
#include "kernels/gemm_tile.h"

/// Engines of narrow numbers for processors without dot-product instructions, and the oracle of those with them.
namespace kernels {

/// bf16: half the memory of a packed weight, at the speed of f32. A is rounded and stays f32; B is kept as upper halves
/// of f32, which a tile widens as it loads them.
struct PortableBf16 {
  using Full = VectorEngine<float>;
  using Source = float;
  using Unit = uint16_t;
  struct Session {};
  static constexpr int64_t tall = Full::tall, wide = Full::wide, step = 32, step_bytes = 64;
  static int64_t a_units(int64_t k) { return 2 * tall * k; }
  static int64_t b_units(int64_t k) { return wide * k; }

  static void pack_a(Matrix<float> a, int64_t first, int64_t count, int64_t p, int64_t k, uint16_t* to) {
    float* const numbers = reinterpret_cast<float*>(to);
    Full::with_height(count, [&](auto height) {
      pack_panel<height.value>(a, first, count, p, k, numbers);
      OneThread{}.each(height.value * k, [=](int64_t i) { numbers[i] = std::bit_cast<float>(upper_half(numbers[i])); });
    });
  }
  /// Some 256 elements at a time, so that what is to be rounded stays in the first-level cache.
  static void pack_b(Matrix<float> b, int64_t first, int64_t count, int64_t p, int64_t k, uint16_t* to) {
    constexpr int64_t piece = 256;
    float numbers[wide * piece];
    for (int64_t done = 0; done < k; done += piece, to += wide * piece) {
      const int64_t deep = std::min(piece, k - done);
      pack_panel<int(wide)>(transposed(b), first, count, p + done, deep, numbers);
      OneThread{}.each(wide * deep, [&](int64_t i) { to[i] = uint16_t(upper_half(numbers[i]) >> 16); });
    }
  }
  static void tile(int64_t count, int64_t k, const uint16_t* a, const uint16_t* b, float* to) {
    Full::tile(count, k, reinterpret_cast<const float*>(a), b, to);
  }
};

/// int8, by plain loops over integers: an oracle of the others, and what serves where there is no gemm_pairs.h.
struct PortableInt8 : Int8Engine<8> {
  static void tile(int64_t count, int64_t k, const uint32_t* a, const uint32_t* b, float* to) {
    int32_t sums[tall * wide] = {};
    for (int64_t p = 0; p < Panel::units(k); ++p) {
      for (int64_t i = 0; i < count; ++i) {
        const uint32_t x = a[p * tall + i];
        const int32_t x0 = int32_t(x & 255), x1 = int32_t(x >> 8 & 255), x2 = int32_t(x >> 16 & 255),
                      x3 = int32_t(x >> 24);
        const uint32_t* y = b + p * wide;
        int32_t* sum = sums + i * wide;
        OneThread{}.each(wide, [=](int64_t j) {
          const int32_t q = int32_t(y[j]);
          sum[j] += x0 * (q << 24 >> 24) + x1 * (q << 16 >> 24) + x2 * (q << 8 >> 24) + x3 * (q >> 24);
        });
      }
    }
    finish(count, k, sums, a, b, to);
  }
};

}  // namespace kernels
