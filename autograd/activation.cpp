#include "autograd/functions.h"

namespace autograd {

using kernels::Activation;
using tensor::activations;
using tensor::dispatch;

namespace {

/// y = f(x) element by element;  dx = dy f′(x).  f and f′ of each stand in kernels/activation.h.
Variable activation(Op op, Activation kind, const Variable& x) {
  Tensor y = empty_like(x.value());
  dispatch(activations, y, name_of(op).data(), [&](auto backend, auto type) {
    using T = decltype(type);
    kernels::activation(backend, kind, x.data<T>(), y.data<T>(), y.elements());
  });
  return record(op, y, {x}, [op, kind, x = x.value(), y](const Tensor& dy, Gradients dx) {
    dispatch(activations, dy, name_of(op).data(), [&](auto backend, auto type) {
      using T = decltype(type);
      kernels::activation_backward(backend, kind, x.data<T>(), y.data<T>(), dy.data<T>(), dx[0].into<T>(),
                                   dy.elements());
    });
  });
}

}  // namespace

/// max(x, 0);  dx = dy [x > 0]
Variable relu(const Variable& x) { return activation(Op::relu, Activation::relu, x); }
/// x for x > 0, else eˣ − 1;  dx = dy (x > 0 ? 1 : eˣ)
Variable elu(const Variable& x) { return activation(Op::elu, Activation::elu, x); }
/// x σ(x);  dx = dy σ(x) (1 + x (1 − σ(x)))
Variable silu(const Variable& x) { return activation(Op::silu, Activation::silu, x); }
/// σ(x) = 1 / (1 + e⁻ˣ);  dx = dy y (1 − y)
Variable sigmoid(const Variable& x) { return activation(Op::sigmoid, Activation::sigmoid, x); }
/// dx = dy (1 − y²)
Variable tanh(const Variable& x) { return activation(Op::tanh, Activation::tanh, x); }
/// x Φ(x), Φ the normal distribution;  dx = dy (Φ(x) + x φ(x))
Variable gelu(const Variable& x) { return activation(Op::gelu, Activation::gelu, x); }

}  // namespace autograd
