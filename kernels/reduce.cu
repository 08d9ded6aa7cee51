#include "kernels/reduce.h"

#include "kernels/column_sums.h"

namespace kernels {
namespace {

/// y [outer, cols] = scale · sum.
template <class T>
struct ScaledSum {
  T* y;
  int64_t cols;
  double scale;
  __device__ void operator()(int64_t o, int64_t, int64_t c, double total) const {
    y[o * cols + c] = T(Accumulator<T>(scale * total));
  }
};

}  // namespace

template <class T>
void sum(Cuda cuda, const T* x, T* y, int64_t outer, int64_t count, int64_t inner, Accumulator<T> scale) {
  column_sums(cuda, Elements<T>{x, count * inner, inner}, ScaledSum<T>{y, inner, double(scale)}, outer, count, inner);
}

template <class T>
void sum_rows(Cuda cuda, const T* x, int64_t stride, Grad<Accumulator<T>> y, int64_t rows, int64_t cols) {
  column_sums(cuda, Elements<T>{x, 0, stride}, PutSum<Accumulator<T>>{y}, 1, rows, cols);
}

#define ACE_INSTANTIATE(T)                                                          \
  template void sum(Cuda, const T*, T*, int64_t, int64_t, int64_t, Accumulator<T>); \
  template void sum_rows(Cuda, const T*, int64_t, Grad<Accumulator<T>>, int64_t, int64_t);
ACE_INSTANTIATE(float)
ACE_INSTANTIATE(double)
ACE_INSTANTIATE(f16)
ACE_INSTANTIATE(bf16)

}  // namespace kernels
