#pragma once
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <utility>

/// Products of matrices so small that all they touch is in the first-level cache: one thread, no call, no packing of
/// panels; a block of the result stays in registers while the sum runs. Every element is one sum in the order of its
/// terms, whatever other rows and columns are computed with it, so its bits do not depend on them.
namespace kernels::small {

/// How many numbers the widest register holds, and how many such registers a row of a block may take.
#if defined(__AVX512F__)
template <class T>
inline constexpr int widest = 64 / int(sizeof(T));
inline constexpr int wide = 4;
#elif defined(__AVX__)
template <class T>
inline constexpr int widest = 32 / int(sizeof(T));
inline constexpr int wide = 2;
#else
template <class T>
inline constexpr int widest = 16 / int(sizeof(T));
inline constexpr int wide = 2;
#endif
inline constexpr int tall =
    6;  ///< rows of a block: tall · wide sums, `wide` elements of x and a factor are all in registers

/// n numbers side by side, as the compiler's own vector type; one is the number itself.
template <class T, int n>
struct LanesOf {
  typedef T type __attribute__((vector_size(n * sizeof(T))));
};
template <class T>
struct LanesOf<T, 1> {
  using type = T;
};
template <class T, int n>
using Lanes = typename LanesOf<T, n>::type;

template <int n, class T>
inline Lanes<T, n> get(const T* from) {
  Lanes<T, n> v;
  std::memcpy(&v, from, sizeof v);
  return v;
}
template <class V, class T>
inline void put(T* to, V v) {
  std::memcpy(to, &v, sizeof v);
}

/// Element (r, j) is data[r · row + j · step]: a matrix, or a transposed one.
template <class T>
struct Factors {
  const T* data;
  int64_t row, step;
};
template <class T>
struct Rows {
  T* data;
  int64_t stride;
};

/// out[r] = (or +=) alpha Σ_j f(r, j) x[j], j < count, for `rows` rows of cols · n columns.
template <int rows, int cols, int n, class T>
[[gnu::always_inline]] inline void block(int64_t count, T alpha, Factors<T> f, Rows<const T> x, bool add, Rows<T> out) {
  Lanes<T, n> sum[rows][cols];
#pragma GCC unroll 8
  for (int r = 0; r < rows; ++r) {
#pragma GCC unroll 4
    for (int c = 0; c < cols; ++c) sum[r][c] = Lanes<T, n>{};
  }
  for (int64_t j = 0; j < count; ++j) {
    Lanes<T, n> from[cols];
#pragma GCC unroll 4
    for (int c = 0; c < cols; ++c) from[c] = get<n>(x.data + j * x.stride + c * n);
#pragma GCC unroll 8
    for (int r = 0; r < rows; ++r) {
      const T factor = f.data[r * f.row + j * f.step];
#pragma GCC unroll 4
      for (int c = 0; c < cols; ++c) sum[r][c] += factor * from[c];
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < rows; ++r) {
#pragma GCC unroll 4
    for (int c = 0; c < cols; ++c) {
      T* to = out.data + r * out.stride + c * n;
      const Lanes<T, n> value = alpha * sum[r][c];
      put(to, add ? get<n>(to) + value : value);
    }
  }
}

/// Columns from `c` on, in blocks of `cols` registers of n lanes while they fit, then in narrower ones.
template <int rows, int cols, int n, class T>
[[gnu::always_inline]] inline void columns(int64_t c, int64_t width, int64_t count, T alpha, Factors<T> f,
                                           Rows<const T> x, bool add, Rows<T> out) {
  for (; c + cols * n <= width; c += cols * n) {
    block<rows, cols, n>(count, alpha, f, {x.data + c, x.stride}, add, {out.data + c, out.stride});
  }
  if constexpr (cols > 1) {
    columns<rows, cols / 2, n>(c, width, count, alpha, f, x, add, out);
  } else if constexpr (n > 1) {
    columns<rows, 1, n / 2>(c, width, count, alpha, f, x, add, out);
  }
}

/// out [rows, width] = (or +=) alpha · F X;  F is rows × count, X [count, width].
template <class T>
void product(int64_t rows, int64_t width, int64_t count, T alpha, Factors<T> f, Rows<const T> x, bool add,
             Rows<T> out) {
  const auto some = [&]<int n>(int64_t r) __attribute__((always_inline)) {
    columns<n, wide, widest<T>>(0, width, count, alpha, {f.data + r * f.row, f.row, f.step}, x, add,
                                {out.data + r * out.stride, out.stride});
  };
  int64_t r = 0;
  for (; r + tall <= rows; r += tall) some.template operator()<tall>(r);
  switch (rows - r) {
    case 5:
      return some.template operator()<5>(r);
    case 4:
      return some.template operator()<4>(r);
    case 3:
      return some.template operator()<3>(r);
    case 2:
      return some.template operator()<2>(r);
    case 1:
      return some.template operator()<1>(r);
  }
}

/// v_0 ∘ v_1 ∘ … of all lanes, by halves.
template <class T, int n, class Combine>
[[gnu::always_inline]] inline T fold(Lanes<T, n> v, Combine combine) {
  if constexpr (n == 1) {
    return v;
  } else if constexpr (n == 2) {
    return combine(v[0], v[1]);
  } else {
    return [&]<size_t... i>(std::index_sequence<i...>) __attribute__((always_inline)) {
      return fold<T, n / 2>(
          combine(__builtin_shufflevector(v, v, int(i)...), __builtin_shufflevector(v, v, int(i + n / 2)...)), combine);
    }
    (std::make_index_sequence<n / 2>());
  }
}

/// The square that `row` holds, transposed, to n rows of `stride`.
template <class T>
[[gnu::always_inline]] inline void put_transposed(const Lanes<T, 4> (&row)[4], T* to, int64_t stride) {
  const Lanes<T, 4> low01 = __builtin_shufflevector(row[0], row[1], 0, 4, 1, 5);
  const Lanes<T, 4> high01 = __builtin_shufflevector(row[0], row[1], 2, 6, 3, 7);
  const Lanes<T, 4> low23 = __builtin_shufflevector(row[2], row[3], 0, 4, 1, 5);
  const Lanes<T, 4> high23 = __builtin_shufflevector(row[2], row[3], 2, 6, 3, 7);
  put(to, __builtin_shufflevector(low01, low23, 0, 1, 4, 5));
  put(to + stride, __builtin_shufflevector(low01, low23, 2, 3, 6, 7));
  put(to + 2 * stride, __builtin_shufflevector(high01, high23, 0, 1, 4, 5));
  put(to + 3 * stride, __builtin_shufflevector(high01, high23, 2, 3, 6, 7));
}
template <class T>
[[gnu::always_inline]] inline void put_transposed(const Lanes<T, 2> (&row)[2], T* to, int64_t stride) {
  put(to, __builtin_shufflevector(row[0], row[1], 0, 2));
  put(to + stride, __builtin_shufflevector(row[0], row[1], 1, 3));
}

/// to[c · height + r] = x[r · stride + c] for c < cols and r < rows, 0 for r from there to the height, a multiple of 4.
template <class T>
void transpose(int64_t rows, int64_t cols, const T* x, int64_t stride, int64_t height, T* to) {
  constexpr int n = std::min(4, widest<T>);
  static constexpr T nothing[n] = {};
  for (int64_t top = 0; top < height; top += n) {
    const T* from[n];
    int64_t next[n];  // a row that is not there is zeros, the same again and again
    for (int i = 0; i < n; ++i) {
      from[i] = top + i < rows ? x + (top + i) * stride : nothing;
      next[i] = top + i < rows ? n : 0;
    }
    T* out = to + top;
    int64_t c = 0;
    for (; c + n <= cols; c += n, out += n * height) {
      Lanes<T, n> row[n];
      for (int i = 0; i < n; ++i) row[i] = get<n>(from[i]), from[i] += next[i];
      put_transposed<T>(row, out, height);
    }
    for (; c < cols; ++c, out += height) {
      for (int i = 0; i < n; ++i) out[i] = *from[i], from[i] += next[i] / n;
    }
  }
}

}  // namespace kernels::small
