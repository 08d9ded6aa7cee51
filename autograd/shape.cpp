#include "autograd/functions.h"
#include "kernels/copy.h"

namespace autograd {

using tensor::activations;
using tensor::check;
using tensor::dispatch;
using tensor::Shape;

namespace {

int positive(std::string_view op, int axis, const Shape& shape) {
  const int result = axis < 0 ? axis + shape.rank() : axis;
  check(result >= 0 && result < shape.rank(), "{}: axis {} of shape {}", op, axis, shape);
  return result;
}

/// A tensor seen as [outer, length]: what stands before an axis, and a run of the axis with all that is inside it.
struct Runs {
  int64_t outer = 1, inner = 1;
  Runs(const Shape& shape, int axis) {
    for (int i = 0; i < axis; ++i) outer *= shape[i];
    for (int i = axis + 1; i < shape.rank(); ++i) inner *= shape[i];
  }
};

}  // namespace

/// y = [x₀; x₁; …] along an axis;  dxᵢ = its part of dy
Variable concat(std::span<const Variable> parts, int axis) {
  check(!parts.empty(), "concat: nothing to join");
  const Shape& first = parts[0].shape();
  const int at = positive("concat", axis, first);
  int64_t total = 0;
  for (const Variable& part : parts) {
    check(part.value().rank() == first.rank() && part.shape().with(at, 0) == first.with(at, 0) &&
              part.dtype() == parts[0].dtype(),
          "concat: {} {} beside {} {} along axis {}", tensor::name_of(part.dtype()), part.shape(),
          tensor::name_of(parts[0].dtype()), first, axis);
    total += part.size(at);
  }
  const Runs runs(first, at);
  Tensor y(first.with(at, total), parts[0].dtype(), parts[0].value().device());
  std::vector<int64_t> widths;
  for (const Variable& part : parts) widths.push_back(part.size(at) * runs.inner);
  const int64_t stride = total * runs.inner;
  dispatch(activations, y, [&](auto backend, auto type) {
    using T = decltype(type);
    T* to = y.data<T>();
    for (size_t i = 0; i < parts.size(); to += widths[i++]) {
      kernels::copy_block(backend, parts[i].data<T>(), widths[i], kernels::Grad<T>{to}, stride, runs.outer, widths[i]);
    }
  });
  return record(Op::concat, y, parts, [widths, stride, outer = runs.outer](const Tensor& dy, Gradients dx) {
    dispatch(activations, dy, [&](auto backend, auto type) {
      using T = decltype(type);
      const T* from = dy.data<T>();
      for (size_t i = 0; i < dx.size(); from += widths[i++]) {
        if (dx[i]) kernels::copy_block(backend, from, stride, dx[i].into<T>(), widths[i], outer, widths[i]);
      }
    });
  });
}

/// y = x[…, begin … end−1, …];  dx = dy there, 0 elsewhere
Variable slice(const Variable& x, int axis, int64_t begin, int64_t end) {
  const int at = positive("slice", axis, x.shape());
  check(begin >= 0 && begin <= end && end <= x.size(at), "slice: {} … {} of axis {} of {}", begin, end, axis,
        x.shape());
  const Runs runs(x.shape(), at);
  const int64_t from = begin * runs.inner, width = (end - begin) * runs.inner, stride = x.size(at) * runs.inner;
  Tensor y(x.shape().with(at, end - begin), x.dtype(), x.value().device());
  dispatch(activations, y, [&](auto backend, auto type) {
    using T = decltype(type);
    kernels::copy_block(backend, x.data<T>() + from, stride, kernels::Grad<T>{y.data<T>()}, width, runs.outer, width);
  });
  return record(Op::slice, y, {x}, [from, width, stride, outer = runs.outer](const Tensor& dy, Gradients dx) {
    dispatch(activations, dy, [&](auto backend, auto type) {
      using T = decltype(type);
      kernels::copy_block(backend, dy.data<T>(), width, dx[0].sparse<T>().at(from), stride, outer, width);
    });
  });
}

/// y[…, j, i] = x[…, i, j];  dx is dy transposed
Variable transpose(const Variable& x) {
  const int rank = x.value().rank();
  check(rank >= 2, "transpose: expected at least 2 dimensions, found {}", x.shape());
  const int64_t m = x.size(-2), n = x.size(-1), batch = m * n == 0 ? 0 : x.elements() / (m * n);
  Tensor y(x.shape().with(rank - 2, n).with(rank - 1, m), x.dtype(), x.value().device());
  dispatch(activations, y, [&](auto backend, auto type) {
    using T = decltype(type);
    kernels::transpose(backend, x.data<T>(), kernels::Grad<T>{y.data<T>()}, batch, m, n);
  });
  return record(Op::transpose, y, {x}, [batch, m, n](const Tensor& dy, Gradients dx) {
    dispatch(activations, dy, [&](auto backend, auto type) {
      using T = decltype(type);
      kernels::transpose(backend, dy.data<T>(), dx[0].into<T>(), batch, n, m);
    });
  });
}

/// y = x, dx = dy, each under the other's shape
Variable reshape(const Variable& x, const Shape& shape) {
  return record(Op::reshape, x.value().reshape(shape), {x}, [](const Tensor& dy, Gradients dx) { dx[0].add(dy); });
}

Variable detach(const Variable& x) { return Variable(x.value()); }

}  // namespace autograd
