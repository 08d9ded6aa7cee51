#pragma once
#include "kernels/held.h"
#include "kernels/softmax.h"

namespace kernels {

/// row_normaliser (softmax.h) of a row in registers.
template <class Held, class A>
__device__ RowNormaliser<A> held_normaliser(Held held, const A (&row)[Held::count], int64_t cols) {
  const A m = held.max_held(cols, [&](int s) { return row[s]; });
  return {m, held.sum_held(cols, [&](int s) { return exp(row[s] - m); })};
}

/// A row in registers becomes e^{x_i − m}; its probabilities are those times the result.
template <class Held, class A>
__device__ A held_softmax(Held held, A (&row)[Held::count], int64_t cols) {
  const A m = held.max_held(cols, [&](int s) { return row[s]; });
  held.slots_of(cols, [&](int s) { row[s] = exp(row[s] - m); });
  return A(1) / held.sum_held(cols, [&](int s) { return row[s]; });
}

/// A row in registers becomes its log-probabilities x_i − log Σ e^x.
template <class Held, class A>
__device__ RowNormaliser<A> held_log_softmax(Held held, A (&row)[Held::count], int64_t cols) {
  const auto norm = held_normaliser(held, row, cols);
  const A z = norm.log_total();
  held.slots_of(cols, [&](int s) { row[s] -= z; });
  return norm;
}

}  // namespace kernels
