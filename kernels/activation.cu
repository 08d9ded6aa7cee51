#include "kernels/activation.h"

#include "kernels/packs.h"

namespace kernels {
namespace {

template <class F>
struct Value {
  template <class A>
  __device__ A operator()(A x) const {
    return F::value(x);
  }
};

template <class F>
struct Derivative {
  template <class A>
  __device__ A operator()(A x, A y, A dy) const {
    return F::derivative(x, y) * dy;
  }
};

}  // namespace

template <class T>
void activation(Cuda cuda, Activation which, const T* x, T* y, int64_t n) {
  with_activation(which, [=](auto function) { map(cuda, Value<decltype(function)>(), Grad<T>{y}, n, x); });
}

template <class T>
void activation_backward(Cuda cuda, Activation which, const T* x, const T* y, const T* dy, Grad<T> dx, int64_t n) {
  with_activation(which, [=](auto function) { map(cuda, Derivative<decltype(function)>(), dx, n, x, y, dy); });
}

#define ACE_INSTANTIATE(T)                                           \
  template void activation(Cuda, Activation, const T*, T*, int64_t); \
  template void activation_backward(Cuda, Activation, const T*, const T*, const T*, Grad<T>, int64_t);
ACE_INSTANTIATE(float)
ACE_INSTANTIATE(double)
ACE_INSTANTIATE(f16)
ACE_INSTANTIATE(bf16)

}  // namespace kernels
