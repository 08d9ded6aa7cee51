#pragma once
#include "kernels/held.h"
#include "kernels/layer_norm.h"

namespace kernels {

/// layer_norm_row (layer_norm.h) of a row in registers.
template <class Base, int slots, class T>
__device__ RowMoments<Accumulator<T>> held_layer_norm(Held<Base, T, slots> held,
                                                      const typename Held<Base, T, slots>::Row& x,
                                                      const Accumulator<T>* weight, const Accumulator<T>* bias, T* y,
                                                      int64_t cols, Accumulator<T> epsilon) {
  using A = Accumulator<T>;
  constexpr int width = Held<Base, T, slots>::width;
  const A mean = held.sum_held(cols, [&](int s) { return x[s]; }) / A(cols);
  const A squares = held.sum_held(cols, [&](int s) { return (x[s] - mean) * (x[s] - mean); });
  const A rstd = A(1) / sqrt(squares / A(cols) + epsilon);
  held.runs(cols, [&](int slot, int i) {
    const Values<A, width> w(weight + i), b(bias + i);
    put_pack<width>(Grad<T>{y + i}, [&](int k) { return (x[slot + k] - mean) * rstd * w.at[k] + b.at[k]; });
  });
  return {mean, rstd};
}

}  // namespace kernels
