#include "kernels/reduce.h"

#include "kernels/put.h"
#include "kernels/sums.h"

namespace kernels {

template <class T>
void sum(Cpu cpu, const T* x, T* y, int64_t outer, int64_t count, int64_t inner, T scale) {
  if (inner == 1 && outer == 1) {
    *y = T(double(scale) * sum_all(cpu, count, [=](int64_t i) { return x[i]; }));
  } else if (inner == 1) {
    cpu.parallel(outer, count, [=](int64_t begin, int64_t end) {
      for (int64_t o = begin; o < end; ++o) {
        y[o] = T(double(scale) * sum_range(o * count, (o + 1) * count, [=](int64_t i) { return x[i]; }));
      }
    });
  } else {
    const auto row = [=](int64_t o, int64_t r) {
      const T* const values = x + (o * count + r) * inner;
      return [values](int64_t c) { return values[c]; };
    };
    sum_columns<T>(cpu, outer, count, inner, row, [=](int64_t o, int64_t first, int64_t width, const double* total) {
      T* const to = y + o * inner + first;
      OneThread().each(width, [=](int64_t c) { to[c] = T(double(scale) * total[c]); });
    });
  }
}

template <class T>
void sum_rows(Cpu cpu, const T* x, int64_t stride, Grad<T> y, int64_t rows, int64_t cols) {
  const auto row = [=](int64_t, int64_t r) {
    const T* const values = x + r * stride;
    return [values](int64_t c) { return values[c]; };
  };
  sum_columns<T>(cpu, 1, rows, cols, row, [=](int64_t, int64_t first, int64_t width, const double* total) {
    put_each(OneThread(), y.at(first), width, [=](int64_t c) { return T(total[c]); });
  });
}

template <class T>
double sum_of_squares(Cpu cpu, const T* x, int64_t n) {
  return sum_all(cpu, n, [=](int64_t i) { return double(x[i]) * double(x[i]); });
}

#define ACE_INSTANTIATE(T)                                                   \
  template void sum(Cpu, const T*, T*, int64_t, int64_t, int64_t, T);        \
  template void sum_rows(Cpu, const T*, int64_t, Grad<T>, int64_t, int64_t); \
  template double sum_of_squares(Cpu, const T*, int64_t);
ACE_INSTANTIATE(float)
ACE_INSTANTIATE(double)

}  // namespace kernels
