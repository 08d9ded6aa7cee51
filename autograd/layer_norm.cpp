#include "kernels/layer_norm.h"

#include "autograd/functions.h"

namespace autograd {

using kernels::Accumulator;
using tensor::activations;
using tensor::check;
using tensor::dispatch;

/// y = x̂ ⊙ w + b,  x̂ = (x − μ) r,  r = 1 / √(σ² + ε);  μ, σ² over the last dimension (Ba et al. 2016).
///   db = Σ_rows dy   dw = Σ_rows dy ⊙ x̂   dx = r (g − mean(g) − x̂ mean(g ⊙ x̂)),  g = dy ⊙ w
Variable layer_norm(const Variable& x, const Variable& weight, const Variable& bias, double epsilon) {
  const int64_t rows = x.rows(), cols = x.cols();
  check(cols > 0, "layer_norm: x {} has no columns", x.shape());
  check(weight.shape() == tensor::Shape{cols} && bias.shape() == tensor::Shape{cols},
        "layer_norm: expected weight and bias [{}], found {} and {}", cols, weight.shape(), bias.shape());
  Tensor y = empty_like(x.value());
  const bool taped = recording({x, weight, bias});
  const Tensor mean(tensor::Shape{taped ? rows : 0}, tensor::accumulator_of(x.dtype()), x.value().device()),
      rstd = empty_like(mean);
  dispatch(activations, y, [&](auto backend, auto type) {
    using T = decltype(type);
    using A = Accumulator<T>;
    kernels::layer_norm(backend, x.data<T>(), weight.data<A>(), bias.data<A>(), y.data<T>(),
                        taped ? mean.data<A>() : nullptr, taped ? rstd.data<A>() : nullptr, rows, cols, A(epsilon));
  });
  return record(Op::layer_norm, y, {x, weight, bias},
                [x = x.value(), weight = weight.value(), mean, rstd](const Tensor& dy, Gradients dx) {
                  dispatch(activations, dy, [&](auto backend, auto type) {
                    using T = decltype(type);
                    using A = Accumulator<T>;
                    kernels::layer_norm_backward(backend, x.data<T>(), weight.data<A>(), mean.data<A>(), rstd.data<A>(),
                                                 dy.data<T>(), dx[0].into<T>(), dx[1].into<A>(), dx[2].into<A>(),
                                                 x.rows(), x.cols());
                  });
                });
}

}  // namespace autograd
