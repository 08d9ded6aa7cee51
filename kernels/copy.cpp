#include "kernels/copy.h"

#include <algorithm>

#include "kernels/put.h"

namespace kernels {

template <class T>
void copy(Cpu cpu, const T* x, Grad<T> y, int64_t n) {
  put_elements(cpu, y, n, 1, [=](int64_t i) { return x[i]; });
}

template <class T>
void copy_block(Cpu cpu, const T* x, int64_t x_stride, Grad<T> y, int64_t y_stride, int64_t rows, int64_t cols) {
  if (x_stride == cols && y_stride == cols) return copy(cpu, x, y, rows * cols);
  cpu.parallel(rows, cols, [=](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      const T* const from = x + r * x_stride;
      put_each(OneThread(), y.at(r * y_stride), cols, [=](int64_t c) { return from[c]; });
    }
  });
}

template <class T>
void transpose(Cpu cpu, const T* x, Grad<T> y, int64_t batch, int64_t m, int64_t n) {
  constexpr int64_t tile = 16;  // rows of y that share the cache lines of x
  const int64_t tiles = (n + tile - 1) / tile;
  cpu.parallel(batch * tiles, 2 * tile * m, [=](int64_t begin, int64_t end) {
    for (int64_t unit = begin; unit < end; ++unit) {
      const int64_t matrix = unit / tiles * m * n, left = unit % tiles * tile, right = std::min(left + tile, n);
      for (int64_t top = 0; top < m; top += tile) {
        for (int64_t j = left; j < right; ++j) {
          const T* const from = x + matrix + top * n + j;
          put_each(OneThread(), y.at(matrix + j * m + top), std::min(tile, m - top),
                   [=](int64_t i) { return from[i * n]; });
        }
      }
    }
  });
}

template <class T>
void repeat(Cpu cpu, const T* x, Grad<T> y, int64_t outer, int64_t count, int64_t inner, T scale) {
  if (outer == 1 && inner == 1) return put_elements(cpu, y, count, 1, [=](int64_t) { return scale * *x; });
  if (inner == 1) {
    cpu.parallel(outer, count, [=](int64_t begin, int64_t end) {
      for (int64_t o = begin; o < end; ++o) {
        const T value = scale * x[o];
        put_each(OneThread(), y.at(o * count), count, [=](int64_t) { return value; });
      }
    });
    return;
  }
  cpu.parallel(outer * count, inner, [=](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      const T* const from = x + r / count * inner;
      put_each(OneThread(), y.at(r * inner), inner, [=](int64_t i) { return scale * from[i]; });
    }
  });
}

#define ACE_INSTANTIATE(T)                                                              \
  template void copy(Cpu, const T*, Grad<T>, int64_t);                                  \
  template void copy_block(Cpu, const T*, int64_t, Grad<T>, int64_t, int64_t, int64_t); \
  template void transpose(Cpu, const T*, Grad<T>, int64_t, int64_t, int64_t);           \
  template void repeat(Cpu, const T*, Grad<T>, int64_t, int64_t, int64_t, T);
ACE_INSTANTIATE(float)
ACE_INSTANTIATE(double)

}  // namespace kernels
