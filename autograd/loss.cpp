#include "kernels/loss.h"

#include "autograd/functions.h"
#include "autograd/indices.h"
#include "kernels/r_drop.h"

namespace autograd {

using kernels::Accumulator;
using tensor::activations;
using tensor::check;
using tensor::dispatch;

/// loss_r = log Σ_c exp x_rc − x_r,target;  dx_r = (softmax(x_r) − onehot(target)) dloss_r.   x [rows, cols]
Variable cross_entropy(const Variable& logits, const Tensor& given) {
  const int64_t rows = logits.rows(), cols = logits.cols();
  check(given.elements() == rows, "cross_entropy: expected {} targets for logits {}, found {}", rows, logits.shape(),
        given.elements());
  check_indices("cross_entropy: target", given, cols);
  const Tensor targets = given.to(logits.value().device());
  Tensor loss(tensor::Shape{rows}, tensor::accumulator_of(logits.dtype()), logits.value().device());
  dispatch(activations, logits.value(), [&](auto backend, auto type) {
    using T = decltype(type);
    using A = Accumulator<T>;
    kernels::cross_entropy(backend, logits.data<T>(), targets.data<int32_t>(), loss.data<A>(), rows, cols);
  });
  return record(Op::cross_entropy, loss, {logits}, [x = logits.value(), targets](const Tensor& dy, Gradients dx) {
    dispatch(activations, x, [&](auto backend, auto type) {
      using T = decltype(type);
      using A = Accumulator<T>;
      kernels::cross_entropy_backward(backend, x.data<T>(), targets.data<int32_t>(), dy.data<A>(), dx[0].into<T>(),
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
  Tensor loss(tensor::Shape{a.rows()}, tensor::accumulator_of(a.dtype()), a.value().device());
  dispatch(activations, a.value(), [&](auto backend, auto type) {
    using T = decltype(type);
    using A = Accumulator<T>;
    kernels::bidirectional_kl(backend, a.data<T>(), b.data<T>(), loss.data<A>(), a.rows(), a.cols());
  });
  return record(Op::bidirectional_kl, loss, {a, b}, [a = a.value(), b = b.value()](const Tensor& dy, Gradients dx) {
    dispatch(activations, a, [&](auto backend, auto type) {
      using T = decltype(type);
      using A = Accumulator<T>;
      kernels::bidirectional_kl_backward(backend, a.data<T>(), b.data<T>(), dy.data<A>(), dx[0].into<T>(),
                                         dx[1].into<T>(), a.rows(), a.cols());
    });
  });
}

/// loss_r = ½ (nll of row r + nll of row B + r) + ω Σ_c (p − q)(log p − log q) of the two;  its gradient is the sum of
/// those of cross_entropy, halved, and bidirectional_kl, times ω
RDrop r_drop(const Variable& logits, const Tensor& given, double omega) {
  const int64_t pairs = given.elements(), cols = logits.cols();
  check(logits.rows() == 2 * pairs && cols > 0,
        "r_drop: expected two rows of logits a target, found {} targets and logits {}", pairs, logits.shape());
  check_indices("r_drop: target", given, cols);
  const Tensor targets = given.to(logits.value().device());
  Tensor loss(tensor::Shape{pairs}, tensor::accumulator_of(logits.dtype()), logits.value().device());
  const Tensor nll = empty_like(loss), kl = empty_like(loss),
               kept(tensor::Shape{pairs, 4}, loss.dtype(), loss.device());
  dispatch(activations, logits.value(), [&](auto backend, auto type) {
    using T = decltype(type);
    using A = Accumulator<T>;
    kernels::r_drop(backend, logits.data<T>(), targets.data<int32_t>(), A(omega), loss.data<A>(), nll.data<A>(),
                    kl.data<A>(), kept.data<A>(), pairs, cols);
  });
  const auto backward = [x = logits.value(), targets, omega, kept](const Tensor& dy, Gradients dx) {
    dispatch(activations, x, [&](auto backend, auto type) {
      using T = decltype(type);
      using A = Accumulator<T>;
      kernels::r_drop_backward(backend, x.data<T>(), targets.data<int32_t>(), A(omega), kept.data<A>(), dy.data<A>(),
                               dx[0].into<T>(), targets.elements(), x.cols());
    });
  };
  return {record(Op::r_drop, loss, {logits}, backward), nll, kl};
}

/// loss_r = Σ_c (a − b)²;  da = 2 (a − b) dloss_r, db = −da
Variable squared_error(const Variable& a, const Variable& b) {
  check_pair("squared_error", a, b);
  Tensor loss(tensor::Shape{a.rows()}, tensor::accumulator_of(a.dtype()), a.value().device());
  dispatch(activations, a.value(), [&](auto backend, auto type) {
    using T = decltype(type);
    using A = Accumulator<T>;
    kernels::squared_error(backend, a.data<T>(), b.data<T>(), loss.data<A>(), a.rows(), a.cols());
  });
  return record(Op::squared_error, loss, {a, b}, [a = a.value(), b = b.value()](const Tensor& dy, Gradients dx) {
    dispatch(activations, a, [&](auto backend, auto type) {
      using T = decltype(type);
      using A = Accumulator<T>;
      kernels::squared_error_backward(backend, a.data<T>(), b.data<T>(), dy.data<A>(), dx[0].into<T>(), dx[1].into<T>(),
                                      a.rows(), a.cols());
    });
  });
}

}  // namespace autograd
