#pragma once
#include <bit>
#include <cstdint>

#include "kernels/launch.h"

/// Rows in registers, for kernels that memory bounds: a row is read once, in accesses of 16 bytes, however often its
/// formula looks at it.
namespace kernels {

/// 16 bytes of anything, moved by one instruction.
struct __attribute__((may_alias, aligned(16))) Bytes16 {
  uint32_t words[4];
};
template <class T>
struct Pack {
  T numbers[16 / sizeof(T)];
};

/// n neighbouring numbers from or to memory at a multiple of 16 bytes; n of them fill a multiple of 16 bytes.
template <int n, class T>
__device__ __forceinline__ void load_run(const T* from, Accumulator<T> (&to)[n]) {
  constexpr int width = 16 / int(sizeof(T));
  static_assert(n % width == 0);
  unrolled<n / width>([&](int p) {
    const auto pack = std::bit_cast<Pack<T>>(*reinterpret_cast<const Bytes16*>(from + p * width));
    unrolled<width>([&](int k) { to[p * width + k] = Accumulator<T>(pack.numbers[k]); });
  });
}
template <int n, class T>
__device__ __forceinline__ void store_run(T* to, const Accumulator<T> (&from)[n]) {
  constexpr int width = 16 / int(sizeof(T));
  static_assert(n % width == 0);
  unrolled<n / width>([&](int p) {
    Pack<T> pack;
    unrolled<width>([&](int k) { pack.numbers[k] = T(from[p * width + k]); });
    *reinterpret_cast<Bytes16*>(to + p * width) = std::bit_cast<Bytes16>(pack);
  });
}
/// The same into a gradient.
template <int n, class T>
__device__ __forceinline__ void put_run(Grad<T> g, const Accumulator<T> (&values)[n]) {
  if (!g.add) return store_run(g.data, values);
  Accumulator<T> sum[n];
  load_run(g.data, sum);
  unrolled<n>([&](int k) { sum[k] += values[k]; });
  store_run(g.data, sum);
}

/// A team (Warp or Block) that holds rows of T: lane l has runs l, l + lanes, … of `width` neighbouring elements, in at
/// most `slots` registers. It is a team of its base as well. A row formula that looks at its row more than once has an
/// overload for it beside the kernel.
template <class Base, class T, int slots>
struct Held : Base {
  using A = Accumulator<T>;
  using Row = A[slots];
  static constexpr int width = 16 / int(sizeof(T)), count = slots;
  /// f(slot, i): the run of elements i … i + width − 1 is in slots slot … slot + width − 1.
  template <class F>
  static __device__ __forceinline__ void runs(int64_t cols, F f) {
    unrolled<slots / width>([&](int p) {
      const int i = (Base::lane() + p * Base::lanes) * width;
      if (i < int(cols)) f(p * width, i);
    });
  }
  static __device__ __forceinline__ void load(const T* x, int64_t cols, Row& row) {
    runs(cols, [&](int slot, int i) {
      A run[width];
      load_run(x + i, run);
      unrolled<width>([&](int k) { row[slot + k] = run[k]; });
    });
  }
  /// y_i = f(slot, i).
  template <class F>
  static __device__ __forceinline__ void store(T* y, int64_t cols, F f) {
    put_held(Grad<T>{y, false}, cols, f);
  }
  template <class F>
  static __device__ __forceinline__ void put_held(Grad<T> g, int64_t cols, F f) {
    runs(cols, [&](int slot, int i) {
      A run[width];
      unrolled<width>([&](int k) { run[k] = f(slot + k, i + k); });
      put_run(g.at(i), run);
    });
  }
  /// f(slot) for the slots that hold an element.
  template <class F>
  static __device__ __forceinline__ void slots_of(int64_t cols, F f) {
    runs(cols, [&](int slot, int) { unrolled<width>([&](int k) { f(slot + k); }); });
  }
  /// Σ f(slot) and max f(slot) over the row.
  template <class F>
  static __device__ __forceinline__ A sum_held(int64_t cols, F f) {
    A total = 0;
    slots_of(cols, [&](int slot) { total += f(slot); });
    return Base::all_sum(total);
  }
  template <class F>
  static __device__ __forceinline__ A max_held(int64_t cols, F f) {
    A best = -infinity<A>;
    slots_of(cols, [&](int slot) { best = larger_or_nan(best, f(slot)); });
    return Base::all_max(best);
  }
};

/// Whether all start at a multiple of 16 bytes, as null does.
template <class... P>
bool aligned(P... pointers) {
  return ((reinterpret_cast<uintptr_t>(pointers) % 16 == 0) && ...);
}

/// Calls f(Held(), blocks) for rows that can be held: at most 4,096 columns of f32 or 16 bits that begin at multiples
/// of 16 bytes (`starts_aligned` for the first). Otherwise false.
template <class T, class F>
bool with_held(int64_t rows, int64_t cols, bool starts_aligned, const F& f) {
  if constexpr (sizeof(T) <= 4) {
    if (!starts_aligned || cols * int64_t(sizeof(T)) % 16 != 0 || cols > Block::lanes * 16) return false;
    if (cols <= Warp::lanes * 32) {
      f(Held<Warp, T, 32>(), blocks_for(rows, Warp::warps));
    } else {
      f(Held<Block, T, 16>(), blocks_for(rows, 1));
    }
    return true;
  }
  return false;
}

/// Calls f(team, blocks): a team that holds rows where they can be held, a plain one where not.
template <class T, class F>
void with_rows(int64_t rows, int64_t cols, bool starts_aligned, const F& f) {
  if (!with_held<T>(rows, cols, starts_aligned, f)) with_team(rows, cols, f);
}

}  // namespace kernels
