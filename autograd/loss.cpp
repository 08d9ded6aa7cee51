#include "kernels/loss.h"

#include "autograd/functions.h"

namespace autograd {

using tensor::check;
using tensor::dispatch;
using tensor::floating;

/// loss_r = log Σ_c exp x_rc − x_r,target;  dx_r = (softmax(x_r) − onehot(target)) dloss_r.   x [rows, cols]
Variable cross_entropy(const Variable& logits, const Tensor& targets) {
  const int64_t rows = logits.rows(), cols = logits.cols();
  check(targets.elements() == rows, "cross_entropy: {} targets for logits {}", targets.elements(), logits.shape());
  for (const int32_t target : targets.values<int32_t>()) {
    check(target >= 0 && target < cols, "cross_entropy: target {} is outside 0 … {}", target, cols - 1);
  }
  Tensor loss(tensor::Shape{rows}, logits.dtype(), logits.value().device());
  dispatch(floating, loss, [&](auto backend, auto type) {
    using T = decltype(type);
    kernels::cross_entropy(backend, logits.data<T>(), targets.data<int32_t>(), loss.data<T>(), rows, cols);
  });
  return record(Op::cross_entropy, loss, {logits}, [x = logits.value(), targets](const Tensor& dy, Gradients dx) {
    dispatch(floating, dy, [&](auto backend, auto type) {
      using T = decltype(type);
      kernels::cross_entropy_backward(backend, x.data<T>(), targets.data<int32_t>(), dy.data<T>(), dx[0].into<T>(),
                                      x.rows(), x.cols());
    });
  });
}

namespace {
void check_pair(std::string_view op, const Variable& a, const Variable& b) {
  check(a.shape() == b.shape() && a.dtype() == b.dtype() && a.cols() > 0, "{}: {} {} beside {} {}", op,
        tensor::name_of(a.dtype()), a.shape(), tensor::name_of(b.dtype()), b.shape());
}
}  // namespace

/// loss_r = Σ_c (p − q)(log p − log q),  p = softmax(a_r), q = softmax(b_r);  with l = log p − log q:
///   da = (p ⊙ (l − ⟨p, l⟩) + p − q) dloss_r     db = (q ⊙ (⟨q, l⟩ − l) + q − p) dloss_r
Variable bidirectional_kl(const Variable& a, const Variable& b) {
  check_pair("bidirectional_kl", a, b);
  Tensor loss(tensor::Shape{a.rows()}, a.dtype(), a.value().device());
  dispatch(floating, loss, [&](auto backend, auto type) {
    using T = decltype(type);
    kernels::bidirectional_kl(backend, a.data<T>(), b.data<T>(), loss.data<T>(), a.rows(), a.cols());
  });
  return record(Op::bidirectional_kl, loss, {a, b}, [a = a.value(), b = b.value()](const Tensor& dy, Gradients dx) {
    dispatch(floating, dy, [&](auto backend, auto type) {
      using T = decltype(type);
      kernels::bidirectional_kl_backward(backend, a.data<T>(), b.data<T>(), dy.data<T>(), dx[0].into<T>(),
                                         dx[1].into<T>(), a.rows(), a.cols());
    });
  });
}

/// loss_r = Σ_c (a − b)²;  da = 2 (a − b) dloss_r, db = −da
Variable squared_error(const Variable& a, const Variable& b) {
  check_pair("squared_error", a, b);
  Tensor loss(tensor::Shape{a.rows()}, a.dtype(), a.value().device());
  dispatch(floating, loss, [&](auto backend, auto type) {
    using T = decltype(type);
    kernels::squared_error(backend, a.data<T>(), b.data<T>(), loss.data<T>(), a.rows(), a.cols());
  });
  return record(Op::squared_error, loss, {a, b}, [a = a.value(), b = b.value()](const Tensor& dy, Gradients dx) {
    dispatch(floating, dy, [&](auto backend, auto type) {
      using T = decltype(type);
      kernels::squared_error_backward(backend, a.data<T>(), b.data<T>(), dy.data<T>(), dx[0].into<T>(), dx[1].into<T>(),
                                      a.rows(), a.cols());
    });
  });
}

}  // namespace autograd
