#include "autograd/functions.h"
#include "kernels/copy.h"
#include "kernels/gemm.h"
#include "kernels/reduce.h"

namespace autograd {

using kernels::Grad;
using kernels::Matrix;
using tensor::check;
using tensor::dispatch;
using tensor::floating;
using tensor::Shape;

namespace {

/// The sizes of a product: `batch` times m × k by k × n; b_step 0 when one b serves all.
struct Product {
  int64_t batch = 1, m, n, k, a_step, b_step, c_step;
  int64_t a_stride, b_stride;
};

Product product_of(const Variable& a, const Variable& b, bool ta, bool tb) {
  check(a.value().rank() >= 2 && b.value().rank() >= 2, "matmul: expected matrices, found {} and {}", a.shape(),
        b.shape());
  const int64_t m = a.size(ta ? -1 : -2), k = a.size(ta ? -2 : -1), n = b.size(tb ? -2 : -1);
  bool fits = b.size(tb ? -1 : -2) == k && a.dtype() == b.dtype();
  const bool shared = b.value().rank() == 2;
  if (!shared) {
    fits = fits && a.value().rank() == b.value().rank();
    for (int i = 0; fits && i + 2 < a.value().rank(); ++i) fits = a.size(i) == b.size(i);
  }
  check(fits, "matmul: {} {}{} by {} {}{}", tensor::name_of(a.dtype()), a.shape(), ta ? "ᵀ" : "",
        tensor::name_of(b.dtype()), b.shape(), tb ? "ᵀ" : "");
  int64_t batch = 1;
  for (int i = 0; i + 2 < a.value().rank(); ++i) batch *= a.size(i);
  return {batch, m, n, k, m * k, shared ? 0 : k * n, m * n, a.size(-1), b.size(-1)};
}

}  // namespace

/// C = op(A) op(B), last two dimensions.  With dC = D, for A and B as they enter the product:
///   dA = D Bᵀ, dB = Aᵀ D   (an operand that was transposed gets its gradient transposed)
/// A shared b sums its gradient over the batch.
Variable matmul(const Variable& a, const Variable& b, bool ta, bool tb) {
  const Product p = product_of(a, b, ta, tb);
  const int rank = a.value().rank();
  Tensor c(a.shape().with(rank - 2, p.m).with(rank - 1, p.n), a.dtype(), a.value().device());
  dispatch(floating, c, [&](auto backend, auto type) {
    using T = decltype(type);
    kernels::gemm_batched(backend, p.batch, p.m, p.n, p.k, T(1), Matrix<T>{a.data<T>(), p.a_stride, ta}, p.a_step,
                          Matrix<T>{b.data<T>(), p.b_stride, tb}, p.b_step, T(0), c.data<T>(), p.n, p.c_step);
  });
  return record(Op::matmul, c, {a, b}, [p, ta, tb, a = a.value(), b = b.value()](const Tensor& dy, Gradients dx) {
    dispatch(floating, dy, [&](auto backend, auto type) {
      using T = decltype(type);
      const T* d = dy.data<T>();
      if (const Grad<T> da = dx[0].into<T>()) {
        const Matrix<T> other{b.data<T>(), p.b_stride, !tb};
        const T beta = da.add ? T(1) : T(0);
        if (!ta) {  // dA = D op(B)ᵀ
          kernels::gemm_batched(backend, p.batch, p.m, p.k, p.n, T(1), Matrix<T>{d, p.n}, p.c_step, other, p.b_step,
                                beta, da.data, p.a_stride, p.a_step);
        } else {  // dA = op(B) Dᵀ
          kernels::gemm_batched(backend, p.batch, p.k, p.m, p.n, T(1), Matrix<T>{b.data<T>(), p.b_stride, tb}, p.b_step,
                                Matrix<T>{d, p.n, true}, p.c_step, beta, da.data, p.a_stride, p.a_step);
        }
      }
      const bool sums = p.b_step == 0 && p.batch != 1;  // one b for many: their gradients add up
      if (const Grad<T> db = sums ? dx[1].sparse<T>() : dx[1].into<T>()) {
        const auto share = [&](int64_t batch, int64_t i, T beta) {
          const T *x = a.data<T>() + i * p.a_step, *g = d + i * p.c_step;
          if (!tb) {  // dB = op(A)ᵀ D
            kernels::gemm_batched(backend, batch, p.k, p.n, p.m, T(1), Matrix<T>{x, p.a_stride, !ta}, p.a_step,
                                  Matrix<T>{g, p.n}, p.c_step, beta, db.data, p.b_stride, p.b_step);
          } else {  // dB = Dᵀ op(A)
            kernels::gemm_batched(backend, batch, p.n, p.k, p.m, T(1), Matrix<T>{g, p.n, true}, p.c_step,
                                  Matrix<T>{x, p.a_stride, ta}, p.a_step, beta, db.data, p.b_stride, p.b_step);
          }
        };
        if (!sums) share(p.batch, 0, db.add ? T(1) : T(0));
        for (int64_t i = 0; sums && i < p.batch; ++i) share(1, i, T(1));
      }
    });
  });
}

/// y = x Wᵀ + b;  dx = dy W   dW = dyᵀ x   db = Σ_rows dy.   x [..., in], W [out, in], b [out], y [..., out]
Variable linear(const Variable& x, const Variable& weight, const Variable& bias) {
  const int64_t rows = x.rows(), in = x.cols();
  check(weight.value().rank() == 2 && weight.size(1) == in && weight.dtype() == x.dtype(),
        "linear: {} weight {} for {} x {}", tensor::name_of(weight.dtype()), weight.shape(), tensor::name_of(x.dtype()),
        x.shape());
  const int64_t out = weight.size(0);
  check(!bias.defined() || bias.shape() == Shape{out}, "linear: expected bias [{}], found {}", out,
        bias.defined() ? bias.shape() : Shape{});
  Tensor y(x.shape().with(-1, out), x.dtype(), x.value().device());
  dispatch(floating, y, [&](auto backend, auto type) {
    using T = decltype(type);
    if (bias.defined()) kernels::repeat(backend, bias.data<T>(), Grad<T>{y.data<T>()}, 1, rows, out, T(1));
    kernels::gemm(backend, rows, out, in, T(1), Matrix<T>{x.data<T>(), in}, Matrix<T>{weight.data<T>(), in, true},
                  bias.defined() ? T(1) : T(0), y.data<T>(), out);
  });
  const auto backward = [x = x.value(), weight = weight.value(), rows, in, out](const Tensor& dy, Gradients dx) {
    dispatch(floating, dy, [&](auto backend, auto type) {
      using T = decltype(type);
      const Matrix<T> d{dy.data<T>(), out}, d_transposed{dy.data<T>(), out, true};
      if (const Grad<T> gx = dx[0].into<T>()) {
        kernels::gemm(backend, rows, in, out, T(1), d, Matrix<T>{weight.data<T>(), in}, gx.add ? T(1) : T(0), gx.data,
                      in);
      }
      if (const Grad<T> gw = dx[1].into<T>()) {
        kernels::gemm(backend, out, in, rows, T(1), d_transposed, Matrix<T>{x.data<T>(), in}, gw.add ? T(1) : T(0),
                      gw.data, in);
      }
      if (dx.size() > 2 && dx[2]) kernels::sum_rows(backend, dy.data<T>(), out, dx[2].into<T>(), rows, out);
    });
  };
  return bias.defined() ? record(Op::linear, y, {x, weight, bias}, backward)
                        : record(Op::linear, y, {x, weight}, backward);
}

}  // namespace autograd
