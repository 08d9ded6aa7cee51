#pragma once
#include "kernels/gemm_narrow.h"
#include "kernels/gemm_tile.h"

/// Engines of narrow numbers for processors without dot-product instructions, and the oracle of those with them.
namespace kernels {

/// bf16: half the memory of a packed weight, at the speed of f32. A pair of B becomes two f32 by a shift and a mask.
struct PortableBf16 : Bf16Engine<PlainHalves, vector_bytes == 64 ? 14 : 4, 2 * lanes<float>> {
  static int64_t a_units(int64_t k) { return 2 * tall * Panel::units(k); }

  /// A is kept as f32, one element after the other: pairs are packed behind, then spread to the front.
  static void pack_a(Matrix<float> a, int64_t first, int64_t count, int64_t p, int64_t k, uint32_t* to) {
    const int64_t pairs = Panel::units(k);
    Panel::pack<int(tall)>(a, first, count, p, k, to + pairs * tall);
    for (int64_t i = 0; i < pairs; ++i) {
      for (int64_t j = 0; j < tall; ++j) {
        const uint32_t pair = to[(pairs + i) * tall + j];
        to[2 * i * tall + j] = pair << 16;
        to[(2 * i + 1) * tall + j] = pair & 0xffff0000u;
      }
    }
  }
  [[gnu::noinline]] static void tile(int64_t, int64_t k, const uint32_t* __restrict a, const uint32_t* __restrict b,
                                     float* __restrict to) {
    constexpr int w = lanes<float>;
    using Floats = Vector<float>;
    Floats sum[tall][2] = {};
    for (int64_t p = 0; p < Panel::units(k); ++p, a += 2 * tall, b += 2 * w) {
      const Vector<uint32_t> left = load(b), right = load(b + w);
#pragma GCC unroll 2
      for (int half = 0; half < 2; ++half) {
        const Floats l = half ? Floats(left & 0xffff0000u) : Floats(left << 16);
        const Floats r = half ? Floats(right & 0xffff0000u) : Floats(right << 16);
#pragma GCC unroll 16
        for (int i = 0; i < tall; ++i) {
          const float x = std::bit_cast<float>(a[half * tall + i]);
          sum[i][0] += x * l;
          sum[i][1] += x * r;
        }
      }
    }
#pragma GCC unroll 16
    for (int i = 0; i < tall; ++i) {
      store(to + i * wide, sum[i][0]);
      store(to + i * wide + w, sum[i][1]);
    }
  }
};

/// int8, by plain loops over integers.
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
