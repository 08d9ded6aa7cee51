#pragma once
#include "kernels/gemm_narrow.h"

#if defined(__AVX512F__)
#include <immintrin.h>
#endif

/// Engines on the tiles of AMX (Intel SDM vol. 1, chapter 18): registers of 16 rows of 64 bytes; one instruction adds
/// the product of a tile of A (16 rows × 16 units along k) and one of B (16 units along k × 16 columns) to 16 × 16
/// sums. A panel of 32 rows by one of 32 columns makes four such products of two loads each, so that loads keep up.
namespace kernels {

enum class Narrow { bf16, int8 };

/// sums [32][32] = A panel · B panel, over `units` along k, for bf16 pairs or quads of int8. The A panel: for each half
/// of its rows, for each 16 units, one tile of 1 KiB; the B panel: [units][32].
/// In plain C++: what the instructions are defined to do. Tests run the engines on it anywhere.
template <Narrow kind>
struct ModelTiles {
  using Sum = std::conditional_t<kind == Narrow::bf16, float, int32_t>;
  struct Session {};
  static void product(int64_t units, const uint32_t* a, const uint32_t* b, Sum* sums) {
    std::fill_n(sums, 32 * narrow_wide, Sum(0));
    for (int64_t p = 0; p < units; ++p) {
      for (int64_t i = 0; i < 32; ++i) {
        const uint32_t x = a[i / 16 * units * 16 + p / 16 * 256 + i % 16 * 16 + p % 16];
        for (int64_t j = 0; j < narrow_wide; ++j) add(sums[i * narrow_wide + j], x, b[p * narrow_wide + j]);
      }
    }
  }

 private:
  static void add(float& sum, uint32_t a, uint32_t b) {
    sum += std::bit_cast<float>(a << 16) * std::bit_cast<float>(b << 16);
    sum += std::bit_cast<float>(a & 0xffff0000u) * std::bit_cast<float>(b & 0xffff0000u);
  }
  static void add(int32_t& sum, uint32_t a, uint32_t b) {
    for (int shift = 0; shift < 32; shift += 8) sum += int32_t(a >> shift & 255) * int32_t(int8_t(b >> shift & 255));
  }
};

#if defined(__AVX512F__)
/// By the tiles of the processor: four hold sums, two a step of A, two one of B. A thread configures them before its
/// first product and gives them back after its last, since their state costs time at each switch of threads.
template <Narrow kind>
struct HardwareTiles {
  using Sum = std::conditional_t<kind == Narrow::bf16, float, int32_t>;
  struct Session {
    [[gnu::target("amx-tile")]] Session() {
      struct alignas(64) Shape {
        uint8_t palette = 1, start = 0, reserved[14] = {};
        uint16_t bytes_per_row[16] = {64, 64, 64, 64, 64, 64, 64, 64};
        uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
      };
      static constexpr Shape
          shape;  // static: g++ believes that the instruction reads 8 bytes, and drops stores of others
      _tile_loadconfig(&shape);
    }
    [[gnu::target("amx-tile")]] ~Session() { _tile_release(); }
    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;
  };

  [[gnu::target("amx-tile,amx-bf16,amx-int8"), gnu::noinline]] static void product(int64_t units, const uint32_t* a,
                                                                                   const uint32_t* b, Sum* sums) {
    asm volatile("" ::: "memory");  // what was packed is in memory before tiles are loaded from there
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    const uint32_t* lower = a + units * 16;
    for (int64_t p = 0; p < units; p += 16, a += 256, lower += 256, b += 16 * narrow_wide) {
      _tile_loadd(4, a, 64);
      _tile_loadd(5, lower, 64);
      _tile_loadd(6, b, 128);
      _tile_loadd(7, b + 16, 128);
      if constexpr (kind == Narrow::bf16) {
        _tile_dpbf16ps(0, 4, 6);
        _tile_dpbf16ps(1, 4, 7);
        _tile_dpbf16ps(2, 5, 6);
        _tile_dpbf16ps(3, 5, 7);
      } else {
        _tile_dpbusd(0, 4, 6);
        _tile_dpbusd(1, 4, 7);
        _tile_dpbusd(2, 5, 6);
        _tile_dpbusd(3, 5, 7);
      }
    }
    constexpr int64_t stride = narrow_wide * int64_t(sizeof(Sum));
    _tile_stored(0, sums, stride);
    _tile_stored(1, sums + 16, stride);
    _tile_stored(2, sums + 16 * narrow_wide, stride);
    _tile_stored(3, sums + 16 * narrow_wide + 16, stride);
    asm volatile("" ::: "memory");
  }
};
#endif

/// Rows of `units` units each, one after the other, as the tiles of a panel; rows past `count` are zeros.
inline void rows_to_tiles(const uint32_t* rows, int64_t count, int64_t units, uint32_t* to) {
  for (int64_t half = 0; half < 2; ++half) {
    for (int64_t p = 0; p < units; p += 16) {
      for (int64_t i = half * 16; i < half * 16 + 16; ++i, to += 16) {
        if (i < count) {
          std::copy_n(rows + i * units + p, 16, to);
        } else {
          std::fill_n(to, 16, 0u);
        }
      }
    }
  }
}

template <template <Narrow> class Tiles, class Halves>
struct AmxBf16 : Bf16Engine<Halves, 32> {
  using Base = Bf16Engine<Halves, 32>;
  using Panel = typename Base::Panel;
  using Session = typename Tiles<Narrow::bf16>::Session;
  static constexpr int64_t tall = Base::tall;
  static void pack_a(Matrix<float> a, int64_t first, int64_t count, int64_t p, int64_t k, uint32_t* to) {
    const int64_t units = Panel::units(k);
    uint32_t rows[tall * depth_bytes / 4];
    if (a.transposed) {  // pairs come as [units][32]: 16 × 16 of them, transposed, are a tile
      Base::pack_a(a, first, count, p, k, rows);
      for (int64_t half = 0; half < 2; ++half) {
        for (int64_t u = 0; u < units; u += 16, to += 256) {
          interleave_rows<16>(rows + u * tall + half * 16, tall, 16, 16, to);
        }
      }
      return;
    }
    for (int64_t i = 0; i < count; ++i) {
      Halves::of_row(a.data + (first + i) * a.stride + p, k, units, rows + i * units);
    }
    rows_to_tiles(rows, count, units, to);
  }
  static void tile(int64_t, int64_t k, const uint32_t* a, const uint32_t* b, float* to) {
    Tiles<Narrow::bf16>::product(Panel::units(k), a, b, to);
  }
};

template <template <Narrow> class Tiles>
struct AmxInt8 : Int8Engine<32> {
  using Session = typename Tiles<Narrow::int8>::Session;
  static void pack_a(Matrix<float> a, int64_t first, int64_t count, int64_t p, int64_t k, uint32_t* to) {
    const int64_t units = Panel::units(k);
    uint32_t rows[tall * depth_bytes / 4];
    Panel::quantise_rows(a, first, count, tall, p, k, 128, rows, to + tall * units);
    rows_to_tiles(rows, count, units, to);
  }
  static void tile(int64_t count, int64_t k, const uint32_t* a, const uint32_t* b, float* to) {
    alignas(64) int32_t sums[tall * wide];
    Tiles<Narrow::int8>::product(Panel::units(k), a, b, sums);
    finish(count, k, sums, a, b, to);
  }
};

}  // namespace kernels
