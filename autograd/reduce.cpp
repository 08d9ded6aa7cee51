#include "kernels/reduce.h"

#include "autograd/functions.h"
#include "kernels/copy.h"

namespace autograd {

using tensor::activations;
using tensor::check;
using tensor::dispatch;
using tensor::Shape;

namespace {

/// x seen as [outer, count, inner]:  y[o, i] = c Σ_k x[o, k, i];  dx[o, k, i] = c dy[o, i]
Variable reduce(Op op, const Variable& x, const Shape& shape, int64_t outer, int64_t count, int64_t inner,
                double factor) {
  Tensor y(shape, x.dtype(), x.value().device());
  dispatch(activations, y, name_of(op).data(), [&](auto backend, auto type) {
    using T = decltype(type);
    kernels::sum(backend, x.data<T>(), y.data<T>(), outer, count, inner, kernels::Accumulator<T>(factor));
  });
  return record(op, y, {x}, [op, outer, count, inner, factor](const Tensor& dy, Gradients dx) {
    dispatch(activations, dy, name_of(op).data(), [&](auto backend, auto type) {
      using T = decltype(type);
      kernels::repeat(backend, dy.data<T>(), dx[0].into<T>(), outer, count, inner, kernels::Accumulator<T>(factor));
    });
  });
}

Variable reduce_axis(Op op, const Variable& x, int axis) {
  const Shape& shape = x.shape();
  const int at = axis < 0 ? axis + shape.rank() : axis;
  check(at >= 0 && at < shape.rank(), "{}: axis {} of shape {}", name_of(op), axis, shape);
  const int64_t count = shape[at];
  check(op == Op::sum || count > 0, "mean: axis {} of shape {} is empty", axis, shape);
  int64_t outer = 1, inner = 1;
  std::vector<int64_t> rest;
  for (int i = 0; i < shape.rank(); ++i) {
    if (i != at) rest.push_back(shape[i]);
    if (i != at) (i < at ? outer : inner) *= shape[i];
  }
  return reduce(op, x, Shape(rest), outer, count, inner, op == Op::mean ? 1.0 / double(count) : 1.0);
}

}  // namespace

Variable sum(const Variable& x) { return reduce(Op::sum, x, Shape{}, 1, x.elements(), 1, 1.0); }
Variable mean(const Variable& x) {
  check(x.elements() > 0, "mean: x {} is empty", x.shape());
  return reduce(Op::mean, x, Shape{}, 1, x.elements(), 1, 1.0 / double(x.elements()));
}
Variable sum(const Variable& x, int axis) { return reduce_axis(Op::sum, x, axis); }
Variable mean(const Variable& x, int axis) { return reduce_axis(Op::mean, x, axis); }

}  // namespace autograd
