#include "kernels/attention.h"

#include <algorithm>

#include "kernels/gemm.h"
#include "kernels/team.h"

namespace kernels {
namespace {

constexpr int64_t query_tile = 32, key_tile = 64;

/// C [m, n] = alpha · A [m, k] Bᵀ (B [n, k]) or A B (B [k, n]), or A Bᵀ … with A transposed, added to C when `add`.
/// Tiles are small, so loops serve the tiniest and BLAS, on this thread, the rest.
template <class T>
void product(int64_t m, int64_t n, int64_t k, T alpha, Matrix<T> a, Matrix<T> b, bool add, T* c, int64_t c_stride) {
  if (m * n * k > 2048) return gemm(Cpu(), m, n, k, alpha, a, b, add ? T(1) : T(0), c, c_stride);
  if (!a.transposed && b.transposed) {
    for (int64_t i = 0; i < m; ++i) {
      for (int64_t j = 0; j < n; ++j) {
        const T *x = a.data + i * a.stride, *y = b.data + j * b.stride;
        const T dot = alpha * OneThread{}.sum(k, [&](int64_t p) { return x[p] * y[p]; });
        c[i * c_stride + j] = add ? c[i * c_stride + j] + dot : dot;
      }
    }
    return;
  }
  for (int64_t i = 0; i < m; ++i) {
    T* out = c + i * c_stride;
    if (!add) std::fill_n(out, n, T(0));
    for (int64_t p = 0; p < k; ++p) {
      const T x = alpha * (a.transposed ? a.data[p * a.stride + i] : a.data[i * a.stride + p]);
      const T* y = b.data + p * b.stride;
      OneThread{}.each(n, [&](int64_t j) { out[j] += x * y[j]; });
    }
  }
}

/// Rows of one head of one sequence: what a task works on.
struct Head {
  int64_t q_begin, n, k_begin, m, column;
  /// How many keys query i sees.
  int64_t seen(int64_t i, bool causal) const { return causal ? std::clamp<int64_t>(i + 1 + m - n, 0, m) : m; }
};
Head head_of(const AttentionShape& s, int64_t task) {
  const int64_t b = task / s.heads, h = task % s.heads;
  return {s.q_offsets[b], s.q_offsets[b + 1] - s.q_offsets[b], s.k_offsets[b], s.k_offsets[b + 1] - s.k_offsets[b],
          h * s.width};
}

/// Tasks are (sequence, head) pairs; they touch disjoint rows and columns, forward and backward.
template <class F>
void for_heads(Cpu cpu, const AttentionShape& s, int64_t operations, const F& f) {
  const int64_t tasks = s.sequences * s.heads;
  if (tasks == 0) return;
  const int64_t queries = s.q_offsets[s.sequences], keys = s.k_offsets[s.sequences];
  const int64_t cost = operations * s.width * (queries / s.sequences + 1) * (keys / s.sequences + 1);
  cpu.parallel(tasks, cost, [&](int64_t begin, int64_t end) {
    for (int64_t task = begin; task < end; ++task) f(head_of(s, task));
  });
}

/// One tile of queries against all keys, tile by tile, with a running maximum and sum (online softmax: Milakov and
/// Gimelshein 2018): o holds Σ_j exp(S_ij − max) V_j and is rescaled when a later tile raises the maximum.
template <class T>
void attend_tile(const AttentionShape& s, const Head& head, int64_t first, int64_t rows, const T* q, const T* k,
                 const T* v, T* o, T* lse) {
  const int64_t o_stride = s.heads * s.width;
  const T scale = T(1) / sqrt(T(s.width));
  T score[query_tile * key_tile], top[query_tile], total[query_tile];
  std::fill_n(top, rows, -infinity<T>);
  std::fill_n(total, rows, T(0));
  for (int64_t r = 0; r < rows; ++r) std::fill_n(o + r * o_stride, s.width, T(0));
  const int64_t visible = head.seen(first + rows - 1, s.causal);
  for (int64_t begin = 0; begin < visible; begin += key_tile) {
    const int64_t cols = std::min(key_tile, visible - begin);
    product<T>(rows, cols, s.width, scale, {q, s.q_stride}, {k + begin * s.k_stride, s.k_stride, true}, false, score,
               key_tile);
    for (int64_t r = 0; r < rows; ++r) {
      T* p = score + r * key_tile;
      const int64_t seen = std::clamp<int64_t>(head.seen(first + r, s.causal) - begin, 0, cols);
      std::fill(p + seen, p + cols, T(0));
      if (seen == 0) continue;
      const T high = std::max(top[r], OneThread{}.max(seen, [&](int64_t j) { return p[j]; }));
      const T correction = begin == 0 ? T(0) : kernels::exp(top[r] - high);
      OneThread{}.each(seen, [&](int64_t j) { p[j] = kernels::exp(p[j] - high); });
      total[r] = total[r] * correction + OneThread{}.sum(seen, [&](int64_t j) { return p[j]; });
      if (begin > 0) OneThread{}.each(s.width, [&](int64_t c) { o[r * o_stride + c] *= correction; });
      top[r] = high;
    }
    product<T>(rows, s.width, cols, T(1), {score, key_tile}, {v + begin * s.v_stride, s.v_stride}, begin > 0, o,
               o_stride);
  }
  for (int64_t r = 0; r < rows; ++r) {
    const T inverse = head.seen(first + r, s.causal) > 0 ? T(1) / total[r] : T(0);
    OneThread{}.each(s.width, [&](int64_t c) { o[r * o_stride + c] *= inverse; });
    if (lse) lse[r * s.heads] = inverse == T(0) ? T(0) : top[r] + kernels::log(total[r]);
  }
}

/// Gradients of one tile of queries against all keys. dq is that tile's own; dk and dv collect over the tiles.
/// rowsum(dO ⊙ O) is Σ_j P_ij dP_ij: where one tile has all keys, the latter is taken, since its rounding errors are
/// those of the terms it is subtracted from. Then Σ_j dS_ij is 0 as it should be, however alike the keys are.
template <class T>
void backward_tile(const AttentionShape& s, const Head& head, int64_t first, int64_t rows, const T* q, const T* k,
                   const T* v, const T* o, const T* lse, const T* d_o, Grad<T> dq, Grad<T> dk, Grad<T> dv) {
  const int64_t o_stride = s.heads * s.width;
  const T scale = T(1) / sqrt(T(s.width));
  T p[query_tile * key_tile], dp[query_tile * key_tile], delta[query_tile];
  const bool one_tile = head.m <= key_tile;
  for (int64_t r = 0; r < rows && !one_tile; ++r) {
    delta[r] = OneThread{}.sum(s.width, [&](int64_t c) { return d_o[r * o_stride + c] * o[r * o_stride + c]; });
  }
  for (int64_t begin = 0; begin < head.m; begin += key_tile) {
    const int64_t cols = std::min(key_tile, head.m - begin);
    const T *k_tile = k + begin * s.k_stride, *v_tile = v + begin * s.v_stride;
    product<T>(rows, cols, s.width, scale, {q, s.q_stride}, {k_tile, s.k_stride, true}, false, p, key_tile);
    product<T>(rows, cols, s.width, T(1), {d_o, o_stride}, {v_tile, s.v_stride, true}, false, dp, key_tile);
    for (int64_t r = 0; r < rows; ++r) {
      T *row = p + r * key_tile, *drow = dp + r * key_tile;
      const int64_t seen = std::clamp<int64_t>(head.seen(first + r, s.causal) - begin, 0, cols);
      const T log_sum = lse[r * s.heads];
      OneThread{}.each(seen, [&](int64_t j) { row[j] = kernels::exp(row[j] - log_sum); });
      if (one_tile && seen > 0) {
        delta[r] = OneThread{}.sum(seen, [&](int64_t j) { return row[j] * drow[j]; }) /
                   OneThread{}.sum(seen, [&](int64_t j) { return row[j]; });
      }
      const T shift = delta[r];
      OneThread{}.each(seen, [&](int64_t j) { drow[j] = row[j] * (drow[j] - shift); });
      std::fill(row + seen, row + cols, T(0));
      std::fill(drow + seen, drow + cols, T(0));
    }
    if (dv) {
      product<T>(cols, s.width, rows, T(1), {p, key_tile, true}, {d_o, o_stride}, dv.add || first > 0,
                 dv.data + begin * s.v_stride, s.v_stride);
    }
    if (dk) {
      product<T>(cols, s.width, rows, scale, {dp, key_tile, true}, {q, s.q_stride}, dk.add || first > 0,
                 dk.data + begin * s.k_stride, s.k_stride);
    }
    if (dq) {
      product<T>(rows, s.width, cols, scale, {dp, key_tile}, {k_tile, s.k_stride}, dq.add || begin > 0, dq.data,
                 s.q_stride);
    }
  }
}

/// A gradient that no tile reaches (no keys, or no queries) is zero all the same.
template <class T>
void clear(Grad<T> x, int64_t rows, int64_t cols, int64_t stride) {
  if (!x || x.add) return;
  for (int64_t r = 0; r < rows; ++r) std::fill_n(x.data + r * stride, cols, T(0));
}

}  // namespace

template <class T>
void attention(Cpu cpu, const AttentionShape& s, const T* q, const T* k, const T* v, T* o, T* lse) {
  for_heads(cpu, s, 4, [&](const Head& head) {
    for (int64_t first = 0; first < head.n; first += query_tile) {
      const int64_t row = head.q_begin + first;
      attend_tile(s, head, first, std::min(query_tile, head.n - first), q + row * s.q_stride + head.column,
                  k + head.k_begin * s.k_stride + head.column, v + head.k_begin * s.v_stride + head.column,
                  o + row * s.heads * s.width + head.column,
                  lse ? lse + row * s.heads + head.column / s.width : nullptr);
    }
  });
}

template <class T>
void attention_backward(Cpu cpu, const AttentionShape& s, const T* q, const T* k, const T* v, const T* o, const T* lse,
                        const T* d_o, Grad<T> dq, Grad<T> dk, Grad<T> dv) {
  const auto at = [](Grad<T> x, int64_t offset) { return x ? x.at(offset) : x; };
  for_heads(cpu, s, 10, [&](const Head& head) {
    const Grad<T> head_dk = at(dk, head.k_begin * s.k_stride + head.column);
    const Grad<T> head_dv = at(dv, head.k_begin * s.v_stride + head.column);
    if (head.n == 0) {
      clear(head_dk, head.m, s.width, s.k_stride);
      clear(head_dv, head.m, s.width, s.v_stride);
    }
    if (head.m == 0) clear(at(dq, head.q_begin * s.q_stride + head.column), head.n, s.width, s.q_stride);
    for (int64_t first = 0; first < head.n; first += query_tile) {
      const int64_t row = head.q_begin + first, out = row * s.heads * s.width + head.column;
      backward_tile(s, head, first, std::min(query_tile, head.n - first), q + row * s.q_stride + head.column,
                    k + head.k_begin * s.k_stride + head.column, v + head.k_begin * s.v_stride + head.column, o + out,
                    lse + row * s.heads + head.column / s.width, d_o + out, at(dq, row * s.q_stride + head.column),
                    head_dk, head_dv);
    }
  });
}

template <class T>
void attention_plain(const AttentionShape& s, const T* q, const T* k, const T* v, T* o, T* lse) {
  const T scale = T(1) / sqrt(T(s.width));
  for (int64_t task = 0; task < s.sequences * s.heads; ++task) {
    const Head head = head_of(s, task);
    for (int64_t i = 0; i < head.n; ++i) {
      const T* x = q + (head.q_begin + i) * s.q_stride + head.column;
      const auto score = [&](int64_t j) {
        T dot = 0;
        for (int64_t c = 0; c < s.width; ++c) dot += x[c] * k[(head.k_begin + j) * s.k_stride + head.column + c];
        return dot * scale;
      };
      const int64_t seen = head.seen(i, s.causal);
      T top = -infinity<T>, total = 0;
      for (int64_t j = 0; j < seen; ++j) top = std::max(top, score(j));
      for (int64_t j = 0; j < seen; ++j) total += kernels::exp(score(j) - top);
      for (int64_t c = 0; c < s.width; ++c) {
        T sum = 0;
        for (int64_t j = 0; j < seen; ++j) {
          sum += kernels::exp(score(j) - top) / total * v[(head.k_begin + j) * s.v_stride + head.column + c];
        }
        o[(head.q_begin + i) * s.heads * s.width + head.column + c] = sum;
      }
      if (lse) lse[(head.q_begin + i) * s.heads + head.column / s.width] = seen ? top + kernels::log(total) : T(0);
    }
  }
}

#define ACE_INSTANTIATE(T)                                                                                       \
  template void attention(Cpu, const AttentionShape&, const T*, const T*, const T*, T*, T*);                     \
  template void attention_backward(Cpu, const AttentionShape&, const T*, const T*, const T*, const T*, const T*, \
                                   const T*, Grad<T>, Grad<T>, Grad<T>);                                         \
  template void attention_plain(const AttentionShape&, const T*, const T*, const T*, T*, T*);
ACE_INSTANTIATE(float)
ACE_INSTANTIATE(double)

}  // namespace kernels
