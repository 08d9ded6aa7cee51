#include "kernels/residual_norm.h"

#include "autograd/drop.h"

namespace autograd {

using kernels::Accumulator;
using tensor::activations;
using tensor::check;
using tensor::dispatch;
using tensor::Shape;

/// y = LN(s), s = x + branch ⊙ keep / (1 − rate); ds as of layer_norm, and dw, db:
///   dx = ds   dbranch = ds ⊙ keep / (1 − rate), with the same mask computed anew
Variable residual_norm(const Variable& x, const Variable& branch, const Variable& weight, const Variable& bias,
                       double epsilon, const DropoutSite& given) {
  const int64_t rows = x.rows(), cols = x.cols();
  check(x.shape() == branch.shape() && x.dtype() == branch.dtype() && cols > 0, "residual_norm: x {} {}, branch {} {}",
        tensor::name_of(x.dtype()), x.shape(), tensor::name_of(branch.dtype()), branch.shape());
  check(weight.shape() == Shape{cols} && bias.shape() == Shape{cols},
        "residual_norm: expected weight and bias [{}], found {} and {}", cols, weight.shape(), bias.shape());
  const DropoutSite site = site_for("residual_norm", given, branch);
  Tensor y = empty_like(x.value());
  const bool taped = recording({x, branch, weight, bias});
  const Tensor sum = taped ? empty_like(y) : Tensor(),
               mean(Shape{taped ? rows : 0}, tensor::accumulator_of(x.dtype()), y.device()), rstd = empty_like(mean);
  dispatch(activations, y, [&](auto backend, auto type) {
    using T = decltype(type);
    using A = Accumulator<T>;
    kernels::residual_norm(backend, drop_of(site), x.data<T>(), branch.data<T>(), weight.data<A>(), bias.data<A>(),
                           y.data<T>(), taped ? sum.data<T>() : nullptr, taped ? mean.data<A>() : nullptr,
                           taped ? rstd.data<A>() : nullptr, rows, cols, A(epsilon));
  });
  const auto backward = [sum, weight = weight.value(), mean, rstd, site](const Tensor& dy, Gradients dx) {
    const int64_t rows = dy.rows(), cols = dy.cols();
    const Tensor scratch(Shape{kernels::residual_norm_backward_scratch(rows, cols)}, mean.dtype(), dy.device());
    dispatch(activations, dy, [&](auto backend, auto type) {
      using T = decltype(type);
      using A = Accumulator<T>;
      kernels::residual_norm_backward(backend, drop_of(site), sum.data<T>(), weight.data<A>(), mean.data<A>(),
                                      rstd.data<A>(), dy.data<T>(), dx[0].into<T>(), dx[1].into<T>(), dx[2].into<A>(),
                                      dx[3].into<A>(), scratch.data<A>(), rows, cols);
    });
  };
  return record(Op::residual_norm, y, {x, branch, weight, bias}, backward);
}

}  // namespace autograd
