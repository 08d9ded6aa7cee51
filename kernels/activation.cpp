#include "kernels/activation.h"

#include "kernels/put.h"
#include "kernels/rows.h"

namespace kernels {
namespace {

constexpr int64_t cost_of(Activation which) { return which == Activation::relu ? 1 : 16; }

}  // namespace

template <class T>
void activation(Cpu cpu, Activation which, const T* x, T* y, int64_t n) {
  with_activation(which, [=](auto function) {
    using F = decltype(function);
    for_elements(cpu, n, cost_of(which), [=](int64_t i) { y[i] = F::value(x[i]); });
  });
}

template <class T>
void activation_backward(Cpu cpu, Activation which, const T* x, const T* y, const T* dy, Grad<T> dx, int64_t n) {
  with_activation(which, [=](auto function) {
    using F = decltype(function);
    put_elements(cpu, dx, n, cost_of(which), [=](int64_t i) { return F::derivative(x[i], y[i]) * dy[i]; });
  });
}

#define ACE_INSTANTIATE(T)                                          \
  template void activation(Cpu, Activation, const T*, T*, int64_t); \
  template void activation_backward(Cpu, Activation, const T*, const T*, const T*, Grad<T>, int64_t);
ACE_INSTANTIATE(float)
ACE_INSTANTIATE(double)

}  // namespace kernels
