#pragma once
#include "kernels/gemm_pack.h"
#include "kernels/team.h"

/// The loops around a tile (Goto and van de Geijn 2008): operands are cut into blocks along k, packed into panels, and
/// every pair of an A panel and a B panel gives one tile of C. An Engine says how panels look and how a tile is
/// computed:
///   Source              what matrices hold; also what a tile gives
///   Unit                what panels hold
///   tall, wide          rows of an A panel, columns of a B panel
///   step, step_bytes    blocks of k start at multiples of `step`, and what so many elements take in a panel
///   a_units(k), b_units(k)              size of a panel of k elements
///                                       (b_units(0) is 0 where a B panel is its steps one after another, and no more)
///   pack_a(a, first, count, p, k, to)   rows first … of A, elements p … p + k − 1, as a panel
///   pack_b(b, first, count, p, k, to)   columns first … of B, likewise
///   tile(count, k, a, b, to)            to [tall][wide] = A panel (of `count` rows) times B panel
///   Session                             lives on each thread while it computes tiles
namespace kernels {

constexpr int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }
constexpr int64_t round_up(int64_t a, int64_t b) { return ceil_div(a, b) * b; }

/// A panel's row of one block of k takes at most so many bytes, so that an A block and a B panel share the second-level
/// cache; a thread's block of A takes a quarter of a megabyte, the B block of all threads eight.
inline constexpr int64_t depth_bytes = 4096, a_bytes = int64_t(1) << 18, b_bytes = int64_t(1) << 23;

/// Length of the blocks that k is cut into: all alike but the last, by k alone, so that sums are too.
template <class Engine>
int64_t block_depth(int64_t k) {
  const int64_t most = depth_bytes * Engine::step / int64_t(Engine::step_bytes);
  return round_up(ceil_div(k, ceil_div(k, most)), Engine::step);
}

/// All of a call but B.
template <class T>
struct Call {
  int64_t m, n, k;
  T alpha;
  Matrix<T> a;
  T beta;
  T* c;
  int64_t c_stride;
  Finish<T> finish;
};

/// c = f(alpha · tile + beta · c + bias) for rows × cols of a tile whose rows are `wide` apart.
template <int64_t wide, class T>
void store_tile(const T* tile, int64_t rows, int64_t cols, T alpha, T beta, T* c, int64_t c_stride, Finish<T> finish) {
  constexpr int64_t w = lanes<T>;
  for (int64_t i = 0; i < rows; ++i, tile += wide, c += c_stride) {
    if (cols == wide) {
#pragma GCC unroll 4
      for (int64_t j = 0; j < wide; j += w) {
        Vector<T> y = alpha * load(tile + j);
        if (beta != T(0)) y += beta * load(c + j);
        if (finish.bias) y += load(finish.bias + j);
        store(c + j, y);
      }
    } else {
      for (int64_t j = 0; j < cols; ++j) {
        T y = alpha * tile[j];
        if (beta != T(0)) y += beta * c[j];
        c[j] = finish.bias ? y + finish.bias[j] : y;
      }
    }
    if (finish.activation) {
      with_activation(*finish.activation,
                      [=](auto function) { OneThread{}.each(cols, [=](int64_t j) { c[j] = function.value(c[j]); }); });
    }
  }
}

/// Has a tile of C on its way from memory while the tile is computed.
template <class T>
void prefetch_tile(const T* c, int64_t rows, int64_t cols, int64_t c_stride) {
  constexpr int64_t line = 64 / int64_t(sizeof(T));
  for (int64_t i = 0; i < rows; ++i, c += c_stride) {
    for (int64_t j = 0; j < cols; j += line) __builtin_prefetch(c + j, 1);
    __builtin_prefetch(c + cols - 1, 1);
  }
}

/// How threads share C: a grid of `rows` × `columns` parts, such that the largest part, the packing of its rows
/// included, is smallest.
struct Split {
  int64_t rows = 1, columns = 1;
};
inline Split split_of(int64_t threads, int64_t row_panels, int64_t column_panels) {
  Split best;
  int64_t least = -1;
  for (int64_t columns = 1; columns <= threads; ++columns) {
    const int64_t rows = threads / columns;
    const int64_t work = ceil_div(row_panels, rows) * (ceil_div(column_panels, columns) + 1);
    if (least < 0 || work < least) best = {rows, columns}, least = work;
  }
  return best;
}

/// Columns first … first + columns − 1 of C, over steps p … p + depth − 1 of k, from packed panels of B.
template <class Engine, class T>
void multiply_block(Cpu cpu, const Call<T>& call, int64_t first, int64_t columns, int64_t p, int64_t depth,
                    const typename Engine::Unit* b) {
  using Unit = typename Engine::Unit;
  constexpr int64_t tall = Engine::tall, wide = Engine::wide;
  const T beta = p == 0 ? call.beta : T(1);
  const Finish<T> finish = p + depth == call.k ? call.finish : Finish<T>{};
  const int64_t row_panels = ceil_div(call.m, tall), column_panels = ceil_div(columns, wide);
  const int64_t a_units = Engine::a_units(depth), b_units = Engine::b_units(depth);
  const int64_t block = std::clamp<int64_t>(a_bytes / (a_units * int64_t(sizeof(Unit))), 1, row_panels);
  const Split split = split_of(cpu.threads(), row_panels, column_panels);
  const auto part = [&](int64_t row_begin, int64_t row_end, int64_t column_begin, int64_t column_end) {
    Unit* const a = static_cast<Unit*>(Cpu::scratch(0, block * a_units * int64_t(sizeof(Unit))));
    [[maybe_unused]] const typename Engine::Session session;
    alignas(64) T tile[tall * wide];
    for (int64_t top = row_begin; top < row_end; top += block) {
      const int64_t bottom = std::min(top + block, row_end);
      for (int64_t i = top; i < bottom; ++i) {
        Engine::pack_a(call.a, i * tall, std::min(tall, call.m - i * tall), p, depth, a + (i - top) * a_units);
      }
      for (int64_t j = column_begin; j < column_end; ++j) {
        const int64_t column = first + j * wide, cols = std::min(wide, columns - j * wide);
        const Finish<T> here{finish.bias ? finish.bias + column : nullptr, finish.activation};
        for (int64_t i = top; i < bottom; ++i) {
          const int64_t rows = std::min(tall, call.m - i * tall);
          T* const c = call.c + i * tall * call.c_stride + column;
          prefetch_tile(c, rows, cols, call.c_stride);
          Engine::tile(rows, depth, a + (i - top) * a_units, b + j * b_units, tile);
          store_tile<wide>(tile, rows, cols, call.alpha, beta, c, call.c_stride, here);
        }
      }
    }
  };
  const int64_t parts = split.rows * split.columns;
  cpu.parallel(parts, 2 * call.m * columns * depth / parts, [&](int64_t begin, int64_t end) {
    for (int64_t t = begin; t < end; ++t) {
      const int64_t r = t / split.columns, c = t % split.columns;
      part(row_panels * r / split.rows, row_panels * (r + 1) / split.rows, column_panels * c / split.columns,
           column_panels * (c + 1) / split.columns);
    }
  });
}

/// Panels of columns first … first + columns − 1 of B, steps p … p + depth − 1. Where the numbers of a step lie side by
/// side and a panel is nothing but its steps, all panels get a few steps before any gets the next ones: memory is read
/// as it lies, and not a line here and there in page after page. Else a panel is filled at once.
template <class Engine, class T>
void pack_block(Cpu cpu, Matrix<T> b, int64_t first, int64_t columns, int64_t p, int64_t depth,
                typename Engine::Unit* to) {
  constexpr int64_t wide = Engine::wide, few = round_up(8, Engine::step);
  const int64_t piece = !b.transposed && Engine::b_units(0) == 0 ? few : depth;
  cpu.parallel(ceil_div(columns, wide), 2 * wide * depth, [&](int64_t begin, int64_t end) {
    for (int64_t q = 0; q < depth; q += piece) {
      for (int64_t j = begin; j < end; ++j) {
        Engine::pack_b(b, first + j * wide, std::min(wide, columns - j * wide), p + q, std::min(piece, depth - q),
                       to + j * Engine::b_units(depth) + Engine::b_units(q) - Engine::b_units(0));
      }
    }
  });
}

template <class Engine, class T>
void multiply(Cpu cpu, const Call<T>& call, Matrix<T> b) {
  using Unit = typename Engine::Unit;
  const int64_t most = block_depth<Engine>(call.k);
  const int64_t panel_bytes = Engine::b_units(most) * int64_t(sizeof(Unit));
  const int64_t panels = std::clamp<int64_t>(b_bytes / panel_bytes, 1, ceil_div(call.n, Engine::wide));
  Unit* const packed = static_cast<Unit*>(Cpu::scratch(1, panels * panel_bytes));
  for (int64_t first = 0; first < call.n; first += panels * Engine::wide) {
    const int64_t columns = std::min(panels * Engine::wide, call.n - first);
    for (int64_t p = 0; p < call.k; p += most) {
      const int64_t depth = std::min(most, call.k - p);
      pack_block<Engine>(cpu, b, first, columns, p, depth, packed);
      multiply_block<Engine>(cpu, call, first, columns, p, depth, packed);
    }
  }
}

/// A whole B as panels, block of k by block.
template <class Engine>
int64_t packed_units(int64_t n, int64_t k) {
  const int64_t most = block_depth<Engine>(k), whole = k / most, rest = k % most;
  return ceil_div(n, Engine::wide) * (whole * Engine::b_units(most) + (rest ? Engine::b_units(rest) : 0));
}
/// f(p, depth, panels) for each block of k.
template <class Engine, class Unit, class F>
void for_packed_blocks(int64_t n, int64_t k, Unit* packed, const F& f) {
  const int64_t most = block_depth<Engine>(k);
  for (int64_t p = 0; p < k; p += most) {
    const int64_t depth = std::min(most, k - p);
    f(p, depth, packed);
    packed += ceil_div(n, Engine::wide) * Engine::b_units(depth);
  }
}
template <class Engine, class T>
void pack_whole(Cpu cpu, Matrix<T> b, int64_t n, int64_t k, typename Engine::Unit* packed) {
  for_packed_blocks<Engine>(n, k, packed, [&](int64_t p, int64_t depth, auto* panels) {
    pack_block<Engine>(cpu, b, 0, n, p, depth, panels);
  });
}
template <class Engine, class T>
void multiply_packed(Cpu cpu, const Call<T>& call, const typename Engine::Unit* packed) {
  for_packed_blocks<Engine>(call.n, call.k, packed, [&](int64_t p, int64_t depth, const auto* panels) {
    multiply_block<Engine>(cpu, call, 0, call.n, p, depth, panels);
  });
}

}  // namespace kernels
