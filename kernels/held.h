#pragma once
#include "kernels/pack.h"

/// Rows in registers, for kernels that memory bounds: a row is read once, in packs, however often its formula looks at
/// it.
namespace kernels {

/// A team (Warp or Block) that holds rows of T: lane l has runs l, l + lanes, … of `width` neighbouring elements, in at
/// most `slots` registers. It is a team of its base as well. A row formula that looks at its row more than once has an
/// overload for it beside the kernel.
template <class Base, class T, int slots>
struct Held : Base {
  using A = Accumulator<T>;
  using Row = A[slots];
  static constexpr int width = pack_size<T>, count = slots;
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
      const Values<T, width> pack(x + i);
      unrolled<width>([&](int k) { row[slot + k] = pack.at[k]; });
    });
  }
  /// y_i = f(slot, i).
  template <class F>
  static __device__ __forceinline__ void store(T* y, int64_t cols, F f) {
    put_held(Grad<T>{y}, cols, f);
  }
  template <class F>
  static __device__ __forceinline__ void put_held(Grad<T> g, int64_t cols, F f) {
    runs(cols, [&](int slot, int i) { put_pack<width>(g.at(i), [&](int k) { return f(slot + k, i + k); }); });
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

/// Calls f(Held(), blocks) for rows that can be held: at most 4,096 columns of f32 or 16 bits, all in packs
/// (`starts_fit`: the first row begins where packs fit). Otherwise false.
template <class T, class F>
bool with_held(int64_t rows, int64_t cols, bool starts_fit, const F& f) {
  if constexpr (sizeof(T) <= 4) {
    if (!starts_fit || cols % pack_size<T> != 0 || cols > Block::lanes * 16) return false;
    if (cols <= Warp::lanes * 16) {
      f(Held<Warp, T, 16>(), blocks_for(rows, Warp::warps));
    } else {
      f(Held<Block, T, 16>(), blocks_for(rows, 1));
    }
    return true;
  }
  return false;
}

/// Calls f(team, blocks): a team that holds rows where they can be held, a plain one where not.
template <class T, class F>
void with_rows(int64_t rows, int64_t cols, bool starts_fit, const F& f) {
  if (!with_held<T>(rows, cols, starts_fit, f)) with_team(rows, cols, f);
}
/// Starts kernel_of(team), a kernel for teams that take a row each, on a …, rows, cols.
template <class T, class KernelOf, class... A>
void launch_rows(Cuda cuda, int64_t rows, int64_t cols, bool starts_fit, const KernelOf& kernel_of, A... a) {
  with_rows<T>(rows, cols, starts_fit, [=](auto team, dim3 blocks) {
    launch(kernel_of(team), blocks, team.threads, 0, cuda.stream(), a..., rows, cols);
  });
}

}  // namespace kernels
