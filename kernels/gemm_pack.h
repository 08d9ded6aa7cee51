#pragma once
#include <algorithm>

#include "kernels/gemm.h"
#include "kernels/vector.h"

/// Panels: operands in the order in which a tile reads them. A panel of `height` rows is [k][height]: step p of the
/// product finds the p-th elements of all rows side by side. Rows that do not exist are zeros.
namespace kernels {

/// to[p · height + i] = rows[i · stride + p] for i < count, p < k.
template <int height, class T>
void interleave_rows(const T* rows, int64_t stride, int64_t count, int64_t k, T* to) {
  constexpr int w = lanes<T>;
  for (int64_t first = 0; first < k; first += w) {
    const int64_t deep = std::min<int64_t>(w, k - first);
#pragma GCC unroll 4
    for (int top = 0; top < height; top += w) {
      constexpr auto tall = [](int begin) { return height - begin < w ? height - begin : w; };
      Vector<T> square[w];
      for (int i = 0; i < w; ++i) {
        square[i] = Vector<T>{};
        if (top + i >= height || top + i >= count) continue;
        const T* from = rows + (top + i) * stride + first;
        deep == w ? void(square[i] = load(from)) : void(std::memcpy(&square[i], from, size_t(deep) * sizeof(T)));
      }
      transpose<T>(square);
      T* out = to + first * height + top;
      for (int64_t p = 0; p < deep; ++p) std::memcpy(out + p * height, &square[p], size_t(tall(top)) * sizeof(T));
    }
  }
}

/// to[p · height + i] = columns[p · stride + i]: the rows of the panel stand side by side already.
template <int height, class T>
void copy_columns(const T* columns, int64_t stride, int64_t count, int64_t k, T* to) {
  for (int64_t p = 0; p < k; ++p, columns += stride, to += height) {
    if (count == height) {
      std::memcpy(to, columns, height * sizeof(T));
    } else {
      std::copy_n(columns, count, to);
      std::fill(to + count, to + height, T(0));
    }
  }
}

/// Rows first … first + count − 1 of x, columns p … p + k − 1, as a panel.
template <int height, class T>
void pack_panel(Matrix<T> x, int64_t first, int64_t count, int64_t p, int64_t k, T* to) {
  if (x.transposed) {
    copy_columns<height>(x.data + p * x.stride + first, x.stride, count, k, to);
  } else {
    interleave_rows<height>(x.data + first * x.stride + p, x.stride, count, k, to);
  }
}

/// B's columns are the rows of Bᵀ.
template <class T>
Matrix<T> transposed(Matrix<T> b) {
  return {b.data, b.stride, !b.transposed};
}

}  // namespace kernels
