#pragma once
#include "kernels/attention_tile.h"

/// Attention on a GPU straight from the formula, a warp a row and head, in Accumulator<T> and for any width: what
/// serves f64 and odd widths, and the oracle of the tiles. Only attention.cu includes this.
namespace kernels::plain {

using tiled::Head;
using tiled::head_of;

inline constexpr int chunk = 128;  ///< columns of a result that a warp holds at a time

/// Σ_c x_c y_c, by one lane.
template <class T>
__device__ Accumulator<T> dot(int64_t width, const T* x, const T* y) {
  Accumulator<T> sum = 0;
  for (int64_t c = 0; c < width; ++c) sum += Accumulator<T>(x[c]) * Accumulator<T>(y[c]);
  return sum;
}

/// A row of a result, put(c, Σ_j weight(j) · row(j)_c): a lane finds the weight of every 32nd j, and has every 32nd c.
template <class A, class Weight, class Row, class Put>
__device__ void weighted_sum(Warp team, int64_t width, int begin, int end, Weight weight, Row row, Put put) {
  for (int64_t first = 0; first < width; first += chunk) {
    A sum[chunk / warp_lanes] = {};
    const int64_t some = width - first < chunk ? width - first : chunk;
    for (int j = begin; j < end; j += warp_lanes) {
      const int mine = j + int(threadIdx.x) % warp_lanes, count = end - j < warp_lanes ? end - j : warp_lanes;
      const A w = mine < end ? weight(mine) : A(0);
      for (int l = 0; l < count; ++l) {
        const A w_l = __shfl_sync(whole_warp, w, l);
        const auto* const x = row(j + l) + first;
        team.each(some, [&](int64_t c) { sum[c / warp_lanes] += w_l * A(x[c]); });
      }
    }
    team.each(some, [&](int64_t c) { put(first + c, sum[c / warp_lanes]); });
  }
}

/// One query over keys key(j) and values value(j), j < seen; gives lse.
template <class T, class Key, class Value>
__device__ Accumulator<T> attend(Warp team, int64_t width, int seen, const T* q, Key key, Value value, T* o) {
  using A = Accumulator<T>;
  const auto score = [&](int64_t j) { return dot(width, q, key(int(j))) / sqrt(A(width)); };
  const A top = team.max(seen, score), total = team.sum(seen, [&](int64_t j) { return exp(score(j) - top); });
  weighted_sum<A>(
      team, width, 0, seen, [&](int j) { return exp(score(j) - top) / total; }, value,
      [=](int64_t c, A x) { o[c] = T(x); });
  return seen > 0 ? top + log(total) : A(0);
}

/// Calls f(head, h, i) for every row of every sequence and every head; row i of that sequence is a warp's.
template <class F>
__device__ void each_row_and_head(const AttentionShape& s, const int32_t* offsets, int64_t rows, F f) {
  each_row(Warp(), rows * s.heads, [&](int64_t unit) {
    const int64_t row = unit / s.heads, h = unit % s.heads;
    const int64_t b = tiled::last_at_most(s.sequences, row, [=](int64_t x) { return offsets[x]; });
    f(head_of(s, b, h), h, int(row - offsets[b]));
  });
}

template <class T>
__global__ void forward_kernel(AttentionShape s, const T* q, const T* k, const T* v, T* o, Accumulator<T>* lse) {
  each_row_and_head(s, s.q_offsets, s.q_rows, [=](const Head& head, int64_t h, int i) {
    const int64_t row = head.q_begin + i;
    const auto key = [&](int j) { return k + (head.k_begin + j) * s.k_stride + head.column; };
    const auto value = [&](int j) { return v + (head.k_begin + j) * s.v_stride + head.column; };
    const Accumulator<T> log_sum = attend(Warp(), s.width, head.seen(i, s.causal), q + row * s.q_stride + head.column,
                                          key, value, o + row * s.heads * s.width + head.column);
    if (lse && threadIdx.x % warp_lanes == 0) lse[row * s.heads + h] = log_sum;
  });
}

/// What both gradients are made of, for query i and key j of a head.
template <class T>
struct Pair {
  using A = Accumulator<T>;
  const AttentionShape& s;
  const Head& head;
  int64_t h;
  const T *q, *k, *v, *d_o;
  const A* lse;
  __device__ const T* query(int i) const { return q + (head.q_begin + i) * s.q_stride + head.column; }
  __device__ const T* key(int j) const { return k + (head.k_begin + j) * s.k_stride + head.column; }
  __device__ const T* d_out(int i) const { return d_o + (head.q_begin + i) * s.heads * s.width + head.column; }
  __device__ int64_t statistic(int i) const { return (head.q_begin + i) * s.heads + h; }
  __device__ A scale() const { return A(1) / sqrt(A(s.width)); }
  __device__ A p(int i, int j) const { return exp(scale() * dot(s.width, query(i), key(j)) - lse[statistic(i)]); }
  __device__ A dp(int i, int j) const {
    return dot(s.width, d_out(i), v + (head.k_begin + j) * s.v_stride + head.column);
  }
  __device__ A ds(int i, int j, A delta) const { return p(i, j) * (dp(i, j) - delta); }
};

/// dQ, and delta_i = rowsum(dO ⊙ O)_i = Σ_j P_ij dP_ij.
template <class T>
__global__ void queries_kernel(AttentionShape s, const T* q, const T* k, const T* v, const Accumulator<T>* lse,
                               const T* d_o, Grad<T> dq, Accumulator<T>* delta) {
  using A = Accumulator<T>;
  each_row_and_head(s, s.q_offsets, s.q_rows, [=](const Head& head, int64_t h, int i) {
    const Pair<T> of{s, head, h, q, k, v, d_o, lse};
    const int seen = head.seen(i, s.causal);
    const A mass = Warp().sum(seen, [&](int64_t j) { return of.p(i, int(j)); });
    const A dot = Warp().sum(seen, [&](int64_t j) { return of.p(i, int(j)) * of.dp(i, int(j)); });
    const A shift = seen > 0 ? dot / mass : A(0);
    if (threadIdx.x % warp_lanes == 0) delta[of.statistic(i)] = shift;
    if (!dq) return;
    const Grad<T> to = dq.at((head.q_begin + i) * s.q_stride + head.column);
    weighted_sum<A>(
        Warp(), s.width, 0, seen, [&](int j) { return of.ds(i, j, shift) * of.scale(); },
        [&](int j) { return of.key(j); }, [=](int64_t c, A x) { to.put(c, x); });
  });
}

template <class T>
__global__ void keys_kernel(AttentionShape s, const T* q, const T* k, const T* v, const Accumulator<T>* lse,
                            const Accumulator<T>* delta, const T* d_o, Grad<T> dk, Grad<T> dv) {
  using A = Accumulator<T>;
  each_row_and_head(s, s.k_offsets, s.k_rows, [=](const Head& head, int64_t h, int j) {
    const Pair<T> of{s, head, h, q, k, v, d_o, lse};
    const int hidden = j - (head.m - head.n), first = s.causal && hidden > 0 ? hidden : 0;  // the first that sees key j
    const int64_t row = head.k_begin + j;
    if (dv) {
      const Grad<T> to = dv.at(row * s.v_stride + head.column);
      weighted_sum<A>(
          Warp(), s.width, first, head.n, [&](int i) { return of.p(i, j); }, [&](int i) { return of.d_out(i); },
          [=](int64_t c, A x) { to.put(c, x); });
    }
    if (dk) {
      const Grad<T> to = dk.at(row * s.k_stride + head.column);
      weighted_sum<A>(
          Warp(), s.width, first, head.n, [&](int i) { return of.ds(i, j, delta[of.statistic(i)]) * of.scale(); },
          [&](int i) { return of.query(i); }, [=](int64_t c, A x) { to.put(c, x); });
    }
  });
}

template <class T>
__global__ void step_kernel(int64_t rows, int64_t heads, int64_t width, int positions, const int32_t* at, const T* q,
                            const T* const* k, const T* const* v, T* o) {
  each_row(Warp(), rows * heads, [=](int64_t unit) {
    const int64_t r = unit / heads, d = heads * width, column = unit % heads * width;
    const auto row = [&](const T* const* x, int p) { return x[p] + at[p * rows + r] * d + column; };
    attend(
        Warp(), width, positions, q + r * d + column, [&](int p) { return row(k, p); },
        [&](int p) { return row(v, p); }, o + r * d + column);
  });
}

}  // namespace kernels::plain
