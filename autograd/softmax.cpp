#include "kernels/softmax.h"

#include "autograd/functions.h"

namespace autograd {

using tensor::activations;
using tensor::check;
using tensor::dispatch;

/// y = softmax(x) over the last dimension;  dx = y ⊙ (dy − ⟨dy, y⟩).   x, y: [..., cols]
Variable softmax(const Variable& x) {
  check(x.cols() > 0, "softmax: x {} has no columns", x.shape());
  Tensor y = empty_like(x.value());
  dispatch(activations, y, [&](auto backend, auto type) {
    using T = decltype(type);
    kernels::softmax(backend, x.data<T>(), y.data<T>(), x.rows(), x.cols());
  });
  return record(Op::softmax, y, {x}, [y](const Tensor& dy, Gradients dx) {
    dispatch(activations, y, [&](auto backend, auto type) {
      using T = decltype(type);
      kernels::softmax_backward(backend, y.data<T>(), dy.data<T>(), dx[0].into<T>(), y.rows(), y.cols());
    });
  });
}

/// y = x − log Σ exp x over the last dimension;  dx = dy − softmax(x) Σ dy.   x, y: [..., cols]
Variable log_softmax(const Variable& x) {
  check(x.cols() > 0, "log_softmax: x {} has no columns", x.shape());
  Tensor y = empty_like(x.value());
  dispatch(activations, y, [&](auto backend, auto type) {
    using T = decltype(type);
    kernels::log_softmax(backend, x.data<T>(), y.data<T>(), x.rows(), x.cols());
  });
  return record(Op::log_softmax, y, {x}, [y](const Tensor& dy, Gradients dx) {
    dispatch(activations, y, [&](auto backend, auto type) {
      using T = decltype(type);
      kernels::log_softmax_backward(backend, y.data<T>(), dy.data<T>(), dx[0].into<T>(), y.rows(), y.cols());
    });
  });
}

}  // namespace autograd
