#include "kernels/activation.h"
#include "kernels/drop_device.h"
#include "kernels/packs.h"

namespace kernels {
namespace {

constexpr int drawn = 8;  ///< elements for which one draw gives the bits: what a thread takes, whatever their type

struct Same {
  template <class A>
  static __device__ A value(A x) {
    return x;
  }
};

/// y_i = (or +=) drop(f(x_i)). Where packs do not fit, an element costs the draw that eight could have had.
template <class F, int N, class T>
__global__ void drop_kernel(DropFactors<Accumulator<T>> drop, const T* x, Grad<T> y, int64_t n) {
  each_pack<N>(1, n, [&](int64_t, int64_t i, auto width) {
    Accumulator<T> factors[width.value];
    drop.get(i, factors);
    const Values<T, width.value> from(x + i);
    put_pack<width.value>(y.at(i), [&](int j) { return F::value(from.at[j]) * factors[j]; });
  });
}

template <class F, class T>
void drop_all(Cuda cuda, const Drop& drop, const T* x, Grad<T> y, int64_t n) {
  const DropFactors<Accumulator<T>> factors(drop);
  with_packs<drawn>(packs_fit<drawn>(x, y.data), [&](auto size) {
    const PackGrid<size.value> grid(1, n);
    launch(drop_kernel<F, size.value, T>, grid.blocks, grid.threads, 0, cuda.stream(), factors, x, y, n);
  });
}

template <class A>
struct KeptPositive {
  A kept;
  __device__ A operator()(A y, A dy) const { return y > A(0) ? dy * kept : A(0); }
};

}  // namespace

template <class T>
void dropout(Cuda cuda, const Drop& drop, const T* x, Grad<T> y, int64_t n) {
  drop_all<Same>(cuda, drop, x, y, n);
}

template <class T>
void relu_dropout(Cuda cuda, const Drop& drop, const T* x, T* y, int64_t n) {
  drop_all<Relu>(cuda, drop, x, Grad<T>{y}, n);
}

template <class T>
void relu_dropout_backward(Cuda cuda, const Drop& drop, const T* y, const T* dy, Grad<T> dx, int64_t n) {
  using A = Accumulator<T>;
  map(cuda, KeptPositive<A>{A(1 / (1 - drop.rate))}, dx, n, y, dy);
}

#define ACE_INSTANTIATE(T)                                              \
  template void dropout(Cuda, const Drop&, const T*, Grad<T>, int64_t); \
  template void relu_dropout(Cuda, const Drop&, const T*, T*, int64_t); \
  template void relu_dropout_backward(Cuda, const Drop&, const T*, const T*, Grad<T>, int64_t);
ACE_INSTANTIATE(float)
ACE_INSTANTIATE(double)
ACE_INSTANTIATE(f16)
ACE_INSTANTIATE(bf16)

}  // namespace kernels
