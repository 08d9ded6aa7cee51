#include "kernels/attention.h"

#include <algorithm>

#include "kernels/small_product.h"
#include "kernels/team.h"

namespace kernels {
namespace {

using small::Factors;
using small::product;
using small::Rows;

constexpr int64_t query_tile = 32, key_tile = 64;
/// Rows of scores are filled up to whole blocks of so many, for loops of a length that the compiler knows.
constexpr int64_t block = 16;
constexpr int64_t whole_blocks(int64_t cols) { return (cols + block - 1) / block * block; }

template <class F>
void each(int64_t n, F f) {
  for (int64_t first = 0; first < n; first += block) {
    OneThread{}.each(block, [&](int64_t i) { f(first + i); });
  }
}
/// x_i = value for i from `seen` on.
template <class T>
void fill_from(int64_t seen, T* x, int64_t n, T value) {
  for (int64_t first = seen / block * block; first < n; first += block) {
    const int32_t left = int32_t(seen - first);
    OneThread{}.each(block, [=](int64_t i) { x[first + i] = int32_t(i) < left ? x[first + i] : value; });
  }
}
template <class T>
T sum(const T* x, int64_t n) {
  small::Lanes<T, small::widest<T>> total{};
  for (int64_t i = 0; i < n; i += small::widest<T>) total += small::get<small::widest<T>>(x + i);
  return small::fold<T, small::widest<T>>(total, [](auto a, auto b) { return a + b; });
}
template <class T>
T dot(const T* x, const T* y, int64_t n) {
  small::Lanes<T, small::widest<T>> total{};
  for (int64_t i = 0; i < n; i += small::widest<T>) {
    total += small::get<small::widest<T>>(x + i) * small::get<small::widest<T>>(y + i);
  }
  return small::fold<T, small::widest<T>>(total, [](auto a, auto b) { return a + b; });
}
/// The largest; a NaN may be passed over, but it comes through in the exponentials that follow.
template <class T>
T highest(const T* x, int64_t n) {
  const auto larger = [](auto a, auto b) { return a > b ? a : b; };
  auto top = small::get<small::widest<T>>(x);
  for (int64_t i = small::widest<T>; i < n; i += small::widest<T>)
    top = larger(top, small::get<small::widest<T>>(x + i));
  return small::fold<T, small::widest<T>>(top, larger);
}

/// out [rows, cols] = scale · X Yᵀ; y has at most key_tile rows. They are put side by side first, so that the product
/// runs along them and no sum is taken across a register.
template <class T>
void dots(int64_t rows, int64_t cols, int64_t width, T scale, Rows<const T> x, Rows<const T> y, T* out) {
  constexpr int64_t deep = 64;
  T beside[deep * key_tile];
  const int64_t height = whole_blocks(cols);
  for (int64_t c = 0; c < width; c += deep) {
    const int64_t some = std::min(deep, width - c);
    small::transpose<T>(cols, some, y.data + c, y.stride, height, beside);
    product<T>(rows, height, some, scale, {x.data + c, x.stride, 1}, {beside, height}, c > 0, {out, height});
  }
}

/// Rows of one head of one sequence: what a task works on.
struct Head {
  int64_t q_begin, n, k_begin, m, column;
  /// How many keys query i sees.
  int64_t seen(int64_t i, bool causal) const { return causal ? std::clamp<int64_t>(i + 1 + m - n, 0, m) : m; }
};
Head head_of(const AttentionShape& s, int64_t b, int64_t h) {
  return {s.q_offsets[b], s.q_offsets[b + 1] - s.q_offsets[b], s.k_offsets[b], s.k_offsets[b + 1] - s.k_offsets[b],
          h * s.width};
}

/// A matrix whose rows will be needed soon. The processor fetches ahead along a row, but a head is a few columns of
/// many rows, so it is told: while the heads of a sequence are worked on, the rows of the next one are on their way.
struct Coming {
  const char* data;
  const int32_t* offsets;
  int64_t row_bytes, stride_bytes;
  [[gnu::always_inline]] void fetch(int64_t sequence, int64_t part, int64_t parts) const {
    const int64_t first = offsets[sequence], n = offsets[sequence + 1] - first;
    for (int64_t r = first + n * part / parts; data && r < first + n * (part + 1) / parts; ++r) {
      for (int64_t at = 0; at < row_bytes; at += 64) __builtin_prefetch(data + r * stride_bytes + at, 0, 2);
    }
  }
};
template <class T>
Coming coming(const AttentionShape& s, const T* data, const int32_t* offsets, int64_t stride) {
  constexpr int64_t size = sizeof(T);
  return {reinterpret_cast<const char*>(data), offsets, s.heads * s.width * size, stride * size};
}

/// Tasks are (sequence, head) pairs; they touch disjoint rows and columns, forward and backward. What is shared out to
/// the threads is not the tasks but the rows in them, since sequences differ in length: task (b, h) begins where those
/// before it end, each as long as its queries and keys and one more, so that empty ones have a place too.
template <class F>
void for_heads(Cpu cpu, const AttentionShape& s, int64_t operations, std::initializer_list<Coming> next, const F& f) {
  if (s.sequences == 0) return;
  const auto before = [&](int64_t b) { return s.heads * (s.q_offsets[b] + s.k_offsets[b] + b); };
  const int64_t keys = s.k_offsets[s.sequences] / s.sequences + 1;
  cpu.parallel(before(s.sequences), operations * s.width * keys, [&](int64_t begin, int64_t end) {
    int64_t low = 0, high = s.sequences;  // the last sequence that begins at or before `begin`
    while (high - low > 1) {
      const int64_t middle = (low + high) / 2;
      (before(middle) <= begin ? low : high) = middle;
    }
    for (int64_t b = low; b < s.sequences && before(b) < end; ++b) {
      const int64_t length = (before(b + 1) - before(b)) / s.heads;
      for (int64_t h = 0; h < s.heads; ++h) {
        const int64_t at = before(b) + h * length;
        if (at < begin || at >= end) continue;
        for (const Coming& x : next) {
          if (b + 1 < s.sequences) x.fetch(b + 1, h, s.heads);
        }
        f(head_of(s, b, h));
      }
    }
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
  const int64_t visible = head.seen(first + rows - 1, s.causal);
  if (visible == 0) {
    for (int64_t r = 0; r < rows; ++r) std::fill_n(o + r * o_stride, s.width, T(0));
  }
  for (int64_t begin = 0; begin < visible; begin += key_tile) {
    const int64_t cols = std::min(key_tile, visible - begin), stride = whole_blocks(cols);
    dots<T>(rows, cols, s.width, scale, {q, s.q_stride}, {k + begin * s.k_stride, s.k_stride}, score);
    for (int64_t r = 0; r < rows; ++r) {
      T* p = score + r * stride;
      const int64_t seen = std::clamp<int64_t>(head.seen(first + r, s.causal) - begin, 0, cols);
      if (seen == 0) {
        std::fill_n(p, cols, T(0));
        continue;
      }
      fill_from(seen, p, stride, -infinity<T>);
      const T high = std::max(top[r], highest(p, stride));
      const T correction = begin == 0 ? T(0) : kernels::exp(top[r] - high);
      each(stride, [=](int64_t j) { p[j] = kernels::exp(p[j] - high); });
      total[r] = total[r] * correction + sum(p, stride);
      if (begin > 0) OneThread{}.each(s.width, [&](int64_t c) { o[r * o_stride + c] *= correction; });
      top[r] = high;
      if (visible > key_tile) continue;
      const T inverse = T(1) / total[r];  // no other tile will come: P itself
      each(stride, [=](int64_t j) { p[j] *= inverse; });
    }
    product<T>(rows, s.width, cols, T(1), {score, stride, 1}, {v + begin * s.v_stride, s.v_stride}, begin > 0,
               {o, o_stride});
  }
  for (int64_t r = 0; r < rows; ++r) {
    const bool any = head.seen(first + r, s.causal) > 0;
    if (visible > key_tile) {
      const T inverse = any ? T(1) / total[r] : T(0);
      OneThread{}.each(s.width, [&](int64_t c) { o[r * o_stride + c] *= inverse; });
    }
    if (lse) lse[r * s.heads] = any ? top[r] + kernels::log(total[r]) : T(0);
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
    const int64_t cols = std::min(key_tile, head.m - begin), stride = whole_blocks(cols);
    const Rows<const T> k_tile{k + begin * s.k_stride, s.k_stride}, v_tile{v + begin * s.v_stride, s.v_stride};
    dots<T>(rows, cols, s.width, scale, {q, s.q_stride}, k_tile, p);
    dots<T>(rows, cols, s.width, T(1), {d_o, o_stride}, v_tile, dp);
    for (int64_t r = 0; r < rows; ++r) {
      T *row = p + r * stride, *drow = dp + r * stride;
      const int64_t seen = std::clamp<int64_t>(head.seen(first + r, s.causal) - begin, 0, cols);
      fill_from(seen, row, stride, -infinity<T>);
      fill_from(seen, drow, stride, T(0));
      const T log_sum = lse[r * s.heads];
      each(stride, [=](int64_t j) { row[j] = kernels::exp(row[j] - log_sum); });
      if (one_tile && seen > 0) {
        delta[r] = dot(row, drow, stride) / sum(row, stride);
      }
      const T shift = delta[r];
      each(stride, [=](int64_t j) { drow[j] = row[j] * (drow[j] - shift); });
      fill_from(seen, drow, stride, T(0));
    }
    const auto at = [&](Grad<T> x, int64_t stride) { return Rows<T>{x.data + begin * stride, stride}; };
    if (dv)
      product<T>(cols, s.width, rows, T(1), {p, 1, stride}, {d_o, o_stride}, dv.add || first > 0, at(dv, s.v_stride));
    if (dk)
      product<T>(cols, s.width, rows, scale, {dp, 1, stride}, {q, s.q_stride}, dk.add || first > 0, at(dk, s.k_stride));
    if (dq) product<T>(rows, s.width, cols, scale, {dp, stride, 1}, k_tile, dq.add || begin > 0, {dq.data, s.q_stride});
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
  const auto next = {coming(s, q, s.q_offsets, s.q_stride), coming(s, k, s.k_offsets, s.k_stride),
                     coming(s, v, s.k_offsets, s.v_stride), coming(s, o, s.q_offsets, s.heads * s.width)};
  for_heads(cpu, s, 4, next, [&](const Head& head) {
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
  const auto next = {coming(s, q, s.q_offsets, s.q_stride),       coming(s, k, s.k_offsets, s.k_stride),
                     coming(s, v, s.k_offsets, s.v_stride),       coming(s, d_o, s.q_offsets, s.heads * s.width),
                     coming(s, dq.data, s.q_offsets, s.q_stride), coming(s, dk.data, s.k_offsets, s.k_stride),
                     coming(s, dv.data, s.k_offsets, s.v_stride)};
  for_heads(cpu, s, 10, next, [&](const Head& head) {
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
void attention_step(Cpu cpu, int64_t rows, int64_t heads, int64_t width, int64_t positions, const int32_t* at,
                    const T* q, const T* const* k, const T* const* v, T* o) {
  const int64_t d = heads * width;
  const T scale = T(1) / sqrt(T(width));
  cpu.parallel(rows, 4 * d * positions, [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      for (int64_t column = 0; column < d; column += width) {
        const T* const x = q + r * d + column;
        T* const out = o + r * d + column;
        T top = -infinity<T>, total = 0;
        for (int64_t p = 0; p < positions; ++p) {
          const int64_t row = at[p * rows + r] * d + column;
          const T *key = k[p] + row, *value = v[p] + row;
          const T score = scale * OneThread{}.sum(width, [=](int64_t c) { return x[c] * key[c]; });
          const T high = std::max(top, score);
          const T before = p == 0 ? T(0) : kernels::exp(top - high), weight = kernels::exp(score - high);
          total = total * before + weight, top = high;
          if (p == 0) {
            OneThread{}.each(width, [=](int64_t c) { out[c] = weight * value[c]; });
          } else {
            OneThread{}.each(width, [=](int64_t c) { out[c] = out[c] * before + weight * value[c]; });
          }
        }
        const T inverse = T(1) / total;
        OneThread{}.each(width, [=](int64_t c) { out[c] *= inverse; });
      }
    }
  });
}

template <class T>
void attention_plain(const AttentionShape& s, const T* q, const T* k, const T* v, T* o, T* lse) {
  const T scale = T(1) / sqrt(T(s.width));
  for (int64_t task = 0; task < s.sequences * s.heads; ++task) {
    const Head head = head_of(s, task / s.heads, task % s.heads);
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

#define ACE_INSTANTIATE(T)                                                                                         \
  template void attention(Cpu, const AttentionShape&, const T*, const T*, const T*, T*, T*);                       \
  template void attention_backward(Cpu, const AttentionShape&, const T*, const T*, const T*, const T*, const T*,   \
                                   const T*, Grad<T>, Grad<T>, Grad<T>);                                           \
  template void attention_step(Cpu, int64_t, int64_t, int64_t, int64_t, const int32_t*, const T*, const T* const*, \
                               const T* const*, T*);                                                               \
  template void attention_plain(const AttentionShape&, const T*, const T*, const T*, T*, T*);
ACE_INSTANTIATE(float)
ACE_INSTANTIATE(double)

}  // namespace kernels
