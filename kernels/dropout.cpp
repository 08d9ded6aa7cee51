#include "kernels/dropout.h"

#include "kernels/activation.h"
#include "kernels/keep.h"
#include "kernels/put.h"

namespace kernels {
namespace {

/// body(first, n, factors) for runs of all n elements, shared out to the threads in whole blocks.
template <class T, class F>
void for_runs(Cpu cpu, const Drop& drop, int64_t n, const F& body) {
  constexpr int64_t block = Keep<T>::block;
  cpu.parallel((n + block - 1) / block, 4 * block, [&](int64_t begin, int64_t end) {
    Keep<T>(drop).for_runs(begin * block, std::min(end * block, n), body);
  });
}

}  // namespace

template <class T>
void dropout(Cpu cpu, const Drop& drop, const T* x, Grad<T> y, int64_t n) {
  for_runs<T>(cpu, drop, n, [=](int64_t first, int64_t n, const T* factors) {
    put_each(OneThread(), y.at(first), n, [=, x = x + first](int64_t i) { return x[i] * factors[i]; });
  });
}

template <class T>
void relu_dropout(Cpu cpu, const Drop& drop, const T* x, T* y, int64_t n) {
  for_runs<T>(cpu, drop, n, [=](int64_t first, int64_t n, const T* factors) {
    OneThread().each(n, [=, x = x + first, y = y + first](int64_t i) { y[i] = Relu::value(x[i]) * factors[i]; });
  });
}

template <class T>
void relu_dropout_backward(Cpu cpu, const Drop& drop, const T* y, const T* dy, Grad<T> dx, int64_t n) {
  const T kept = T(1 / (1 - drop.rate));
  put_elements(cpu, dx, n, 1, [=](int64_t i) { return y[i] > T(0) ? dy[i] * kept : T(0); });
}

#define ACE_INSTANTIATE(T)                                             \
  template void dropout(Cpu, const Drop&, const T*, Grad<T>, int64_t); \
  template void relu_dropout(Cpu, const Drop&, const T*, T*, int64_t); \
  template void relu_dropout_backward(Cpu, const Drop&, const T*, const T*, Grad<T>, int64_t);
ACE_INSTANTIATE(float)
ACE_INSTANTIATE(double)

}  // namespace kernels
