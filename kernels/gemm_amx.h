#pragma once
#include "kernels/gemm_narrow.h"

#if defined(__AVX512F__)
#include <immintrin.h>
#endif

/// Engines on the tiles of AMX (Intel SDM vol. 1, chapter 18): registers of 16 rows of 64 bytes; one instruction adds
/// the product of a tile of A (16 rows × 16 units along k) and one of B (16 units along k × 16 columns) to 16 × 16
/// sums. A panel of 32 rows by one of 32 columns makes four such products of two loads each, so that loads keep up.
namespace kernels {

/// Four accumulators: rows 0–15 and 16–31 of A by columns 0–15 and 16–31 of B.
/// Tiles of A are 64 bytes from row to row, tiles of B 128. `Unit` tells bf16 pairs from quads of int8.
enum class Narrow { bf16, int8 };

/// The tiles in plain C++: what the instructions are defined to do. Tests run the engines on it anywhere.
template <Narrow kind>
class ModelTiles {
 public:
  using Sum = std::conditional_t<kind == Narrow::bf16, float, int32_t>;
  struct Session {};
  void clear() { std::fill(&sum_[0][0], &sum_[0][0] + 4 * 256, Sum(0)); }
  void multiply(const uint32_t* a0, const uint32_t* a1, const uint32_t* b) {
    for (int quarter = 0; quarter < 4; ++quarter) {
      const uint32_t *a = quarter < 2 ? a0 : a1, *columns = b + quarter % 2 * 16;
      for (int i = 0; i < 16; ++i) {
        for (int p = 0; p < 16; ++p) {
          for (int j = 0; j < 16; ++j) add(sum_[quarter][i * 16 + j], a[i * 16 + p], columns[p * narrow_wide + j]);
        }
      }
    }
  }
  void store(int quarter, Sum* to) const {
    for (int i = 0; i < 16; ++i) std::copy_n(sum_[quarter] + i * 16, 16, to + i * narrow_wide);
  }

 private:
  static void add(float& sum, uint32_t a, uint32_t b) {
    sum += std::bit_cast<float>(a << 16) * std::bit_cast<float>(b << 16);
    sum += std::bit_cast<float>(a & 0xffff0000u) * std::bit_cast<float>(b & 0xffff0000u);
  }
  static void add(int32_t& sum, uint32_t a, uint32_t b) {
    for (int shift = 0; shift < 32; shift += 8) sum += int32_t(a >> shift & 255) * int32_t(int8_t(b >> shift & 255));
  }
  Sum sum_[4][256];
};

#if defined(__AVX512F__)
/// The tiles of the processor. A thread configures them before its first product and gives them back after its last,
/// since their state costs time at each switch of threads.
template <Narrow kind>
class HardwareTiles {
 public:
  using Sum = std::conditional_t<kind == Narrow::bf16, float, int32_t>;
  struct Session {
    [[gnu::target("amx-tile")]] Session() {
      struct alignas(64) {
        uint8_t palette = 1, start = 0, reserved[14] = {};
        uint16_t bytes_per_row[16] = {64, 64, 64, 64, 64, 64, 64, 64};
        uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
      } shape;
      _tile_loadconfig(&shape);
    }
    [[gnu::target("amx-tile")]] ~Session() { _tile_release(); }
    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;
  };
  [[gnu::target("amx-tile")]] void clear() {
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
  }
  [[gnu::target("amx-tile,amx-bf16,amx-int8")]] void multiply(const uint32_t* a0, const uint32_t* a1,
                                                              const uint32_t* b) {
    asm volatile("" ::: "memory");  // what was packed is in memory before tiles are loaded from there
    _tile_loadd(4, a0, 64);
    _tile_loadd(5, a1, 64);
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
  [[gnu::target("amx-tile")]] void store(int quarter, Sum* to) const {
    constexpr int64_t stride = narrow_wide * int64_t(sizeof(Sum));
    if (quarter == 0) _tile_stored(0, to, stride);
    if (quarter == 1) _tile_stored(1, to, stride);
    if (quarter == 2) _tile_stored(2, to, stride);
    if (quarter == 3) _tile_stored(3, to, stride);
    asm volatile("" ::: "memory");
  }
};
#endif

/// sums [32][32] = A panel · B panel. The A panel: for each half of its rows, for each 16 units along k, one tile.
template <class Tiles>
void amx_tile(int64_t units, const uint32_t* a, const uint32_t* b, typename Tiles::Sum* sums) {
  Tiles tiles;
  tiles.clear();
  const uint32_t* lower = a + units * 16;
  for (int64_t p = 0; p < units; p += 16) tiles.multiply(a + p * 16, lower + p * 16, b + p * narrow_wide);
  for (int quarter = 0; quarter < 4; ++quarter)
    tiles.store(quarter, sums + quarter / 2 * 16 * narrow_wide + quarter % 2 * 16);
}
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
struct AmxBf16 {
  using Panel = Bf16Panel<Halves>;
  using Source = float;
  using Unit = uint32_t;
  using Session = typename Tiles<Narrow::bf16>::Session;
  static constexpr int64_t tall = 32, wide = narrow_wide;
  static constexpr int64_t step = Panel::step, step_bytes = Panel::step_bytes;
  static int64_t a_units(int64_t k) { return tall * Panel::units(k); }
  static int64_t b_units(int64_t k) { return wide * Panel::units(k); }
  static void pack_a(Matrix<float> a, int64_t first, int64_t count, int64_t p, int64_t k, uint32_t* to) {
    const int64_t units = Panel::units(k);
    uint32_t rows[tall * depth_bytes / 4];
    if (a.transposed) {
      Panel::template pack<int(tall)>(a, first, count, p, k, to);
      for (int64_t i = 0; i < tall; ++i) {
        for (int64_t u = 0; u < units; ++u) rows[i * units + u] = to[u * tall + i];
      }
    } else {
      for (int64_t i = 0; i < count; ++i) {
        Halves::of_row(a.data + (first + i) * a.stride + p, k, units, rows + i * units);
      }
    }
    rows_to_tiles(rows, count, units, to);
  }
  static void pack_b(Matrix<float> b, int64_t first, int64_t count, int64_t p, int64_t k, uint32_t* to) {
    Panel::template pack<int(wide)>(transposed(b), first, count, p, k, to);
  }
  static void tile(int64_t, int64_t k, const uint32_t* a, const uint32_t* b, float* to) {
    amx_tile<Tiles<Narrow::bf16>>(Panel::units(k), a, b, to);
  }
};

template <template <Narrow> class Tiles>
struct AmxInt8 {
  using Source = float;
  using Unit = uint32_t;
  using Session = typename Tiles<Narrow::int8>::Session;
  static constexpr int64_t tall = 32, wide = narrow_wide;
  static constexpr int64_t step = Int8Panel::step, step_bytes = Int8Panel::step_bytes;
  static int64_t a_units(int64_t k) { return Int8Panel::panel_units(tall, k); }
  static int64_t b_units(int64_t k) { return Int8Panel::panel_units(wide, k); }
  static void pack_a(Matrix<float> a, int64_t first, int64_t count, int64_t p, int64_t k, uint32_t* to) {
    const int64_t units = Int8Panel::units(k);
    uint32_t rows[tall * depth_bytes / 4];
    Int8Panel::quantise_rows(a, first, count, tall, p, k, 128, rows, to + tall * units);
    rows_to_tiles(rows, count, units, to);
  }
  static void pack_b(Matrix<float> b, int64_t first, int64_t count, int64_t p, int64_t k, uint32_t* to) {
    Int8Panel::pack<int(wide)>(transposed(b), first, count, p, k, 0, to);
  }
  static void tile(int64_t count, int64_t k, const uint32_t* a, const uint32_t* b, float* to) {
    alignas(64) int32_t sums[tall * wide];
    amx_tile<Tiles<Narrow::int8>>(Int8Panel::units(k), a, b, sums);
    Int8Panel::finish(count, wide, sums, a + tall * Int8Panel::units(k), b + wide * Int8Panel::units(k), to);
  }
};

}  // namespace kernels
