#include "kernels/arithmetic.h"

#include <algorithm>

#include "autograd/functions.h"

namespace autograd {

using kernels::Accumulator;
using kernels::Arithmetic;
using tensor::activations;
using tensor::check;
using tensor::dispatch;

namespace {

/// Output shape and operand strides; a stretched dimension has stride 0.
struct Plan {
  tensor::Shape shape;
  kernels::Broadcast broadcast{};
};

Plan broadcast(std::string_view op, const tensor::Shape& a, const tensor::Shape& b) {
  const int rank = std::max(a.rank(), b.rank());
  std::vector<int64_t> sizes(static_cast<size_t>(rank), 1);
  Plan plan;
  plan.broadcast.rank = rank;
  int64_t a_stride = 1, b_stride = 1;
  for (int i = rank - 1; i >= 0; --i) {
    const int from_end = rank - i;
    const int64_t x = from_end <= a.rank() ? a[-from_end] : 1, y = from_end <= b.rank() ? b[-from_end] : 1;
    check(x == y || x == 1 || y == 1, "{}: shapes {} and {} do not broadcast", op, a, b);
    const int64_t size = x == 1 ? y : x;
    sizes[size_t(i)] = size;
    plan.broadcast.size[i] = size;
    plan.broadcast.a_stride[i] = x == 1 ? 0 : a_stride;
    plan.broadcast.b_stride[i] = y == 1 ? 0 : b_stride;
    a_stride *= x, b_stride *= y;
  }
  plan.shape = tensor::Shape(sizes);
  return plan;
}

/// y = a ∘ b for ∘ one of + − × ÷.
///   a + b: da = dy, db = dy          a − b: da = dy, db = −dy
///   a · b: da = dy b, db = dy a      a / b: da = dy / b, db = −dy a / b²
/// each summed over the dimensions along which its operand was stretched.
Variable arithmetic(Op op, Arithmetic kind, const Variable& a, const Variable& b) {
  check(a.dtype() == b.dtype(), "{}: dtypes {} and {} differ", name_of(op), tensor::name_of(a.dtype()),
        tensor::name_of(b.dtype()));
  const Plan plan = broadcast(name_of(op), a.shape(), b.shape());
  Tensor y(plan.shape, a.dtype(), a.value().device());
  dispatch(activations, y, name_of(op).data(), [&](auto backend, auto type) {
    using T = decltype(type);
    kernels::arithmetic(backend, kind, plan.broadcast, a.data<T>(), b.data<T>(), y.data<T>());
  });
  // Sums and differences have gradients that do not look at the operands, so these need not be kept.
  const bool keep = kind == Arithmetic::mul || kind == Arithmetic::div;
  return record(op, y, {a, b},
                [op, kind, plan = plan.broadcast, a = keep ? a.value() : Tensor(), b = keep ? b.value() : Tensor()](
                    const Tensor& dy, Gradients dx) {
                  dispatch(activations, dy, name_of(op).data(), [&](auto backend, auto type) {
                    using T = decltype(type);
                    const T* x = a.defined() ? a.data<T>() : nullptr;
                    const T* y = b.defined() ? b.data<T>() : nullptr;
                    const T* d = dy.data<T>();
                    if (dx[0]) kernels::arithmetic_backward_a(backend, kind, plan, x, y, d, dx[0].into<T>());
                    if (dx[1]) kernels::arithmetic_backward_b(backend, kind, plan, x, y, d, dx[1].into<T>());
                  });
                });
}

}  // namespace

Variable add(const Variable& a, const Variable& b) { return arithmetic(Op::add, Arithmetic::add, a, b); }
Variable sub(const Variable& a, const Variable& b) { return arithmetic(Op::sub, Arithmetic::sub, a, b); }
Variable mul(const Variable& a, const Variable& b) { return arithmetic(Op::mul, Arithmetic::mul, a, b); }
Variable div(const Variable& a, const Variable& b) { return arithmetic(Op::div, Arithmetic::div, a, b); }

/// y = c x;  dx = c dy
Variable scale(const Variable& x, double factor) {
  Tensor y = empty_like(x.value());
  dispatch(activations, y, [&](auto backend, auto type) {
    using T = decltype(type);
    kernels::scale(backend, Accumulator<T>(factor), x.data<T>(), kernels::Grad<T>{y.data<T>()}, y.elements());
  });
  return record(Op::scale, y, {x}, [factor](const Tensor& dy, Gradients dx) {
    dispatch(activations, dy, [&](auto backend, auto type) {
      using T = decltype(type);
      kernels::scale(backend, Accumulator<T>(factor), dy.data<T>(), dx[0].into<T>(), dy.elements());
    });
  });
}

}  // namespace autograd
