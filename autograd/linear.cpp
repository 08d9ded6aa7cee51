#include "autograd/functions.h"
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

struct FrozenWeight {
  kernels::Precision precision;
  std::vector<Tensor> parts;  ///< packed: the columns of each input
};

void freeze_weight(const Variable& weight, int64_t inputs, kernels::Precision precision) {
  check(weight.value().rank() == 2 && inputs > 0 && weight.size(1) % inputs == 0,
        "linear: a weight {} cannot serve {} inputs of equal width", weight.shape(), inputs);
  if (weight.dtype() != tensor::DType::f32) return weight.freeze(nullptr);
  const int64_t out = weight.size(0), in = weight.size(1), width = in / inputs;
  auto form = std::make_shared<FrozenWeight>(FrozenWeight{precision, {}});
  for (int64_t i = 0; i < inputs; ++i) {
    dispatch(tensor::TypeList<float>(), weight.value(), [&](auto backend, auto) {
      Tensor part(Shape{kernels::gemm_packed_bytes(backend, out, width, precision)}, tensor::DType::u8,
                  weight.value().device());
      kernels::gemm_pack(backend, out, width, Matrix<float>{weight.data<float>() + i * width, in, true}, precision,
                         part.raw());
      form->parts.push_back(part);
    });
  }
  weight.freeze(form);
}

namespace {

void check_linear(std::span<const Variable> x, const Variable& weight, const Variable& bias, const LinearForm& form) {
  check(!x.empty() && weight.value().rank() == 2, "linear: weight {} for {} inputs", weight.shape(), x.size());
  for (const Variable& input : x) {
    check(input.shape() == x[0].shape() && weight.dtype() == input.dtype() &&
              weight.size(1) == int64_t(x.size()) * input.cols(),
          "linear: {} weight {} for {} x {}, {} of them", tensor::name_of(weight.dtype()), weight.shape(),
          tensor::name_of(input.dtype()), input.shape(), x.size());
  }
  check(!weight.frozen() || weight.frozen()->parts.size() == x.size(),
        "linear: a weight that was frozen for {} inputs is given {}",
        weight.frozen() ? weight.frozen()->parts.size() : 0, x.size());
  check(!bias.defined() || bias.shape() == Shape{weight.size(0)}, "linear: expected bias [{}], found {}",
        weight.size(0), bias.defined() ? bias.shape() : Shape{});
  using enum kernels::Activation;
  check(!form.activation || (*form.activation != silu && *form.activation != gelu),
        "linear: the derivatives of silu and gelu do not follow from their values; apply them apart");
}

/// y = f(Σ_i x_i W_iᵀ + b), input after input; the last one finishes.
template <class T, class Backend>
void products(Backend backend, std::span<const Variable> x, const Variable& weight, const Variable& bias,
              const LinearForm& form, T* y) {
  const int64_t rows = x[0].rows(), width = x[0].cols(), out = weight.size(0), in = weight.size(1);
  for (size_t i = 0; i < x.size(); ++i) {
    kernels::Finish<T> finish;
    if (i + 1 == x.size()) finish = {bias.defined() ? bias.data<T>() : nullptr, form.activation};
    const Matrix<T> left{x[i].data<T>(), width};
    const T beta = i == 0 ? T(0) : T(1);
    if constexpr (std::is_same_v<T, float>) {
      if (const FrozenWeight* frozen = weight.frozen()) {
        kernels::gemm_packed(backend, rows, out, width, 1, left, frozen->parts[i].raw(), beta, y, out, finish,
                             frozen->precision);
        continue;
      }
    }
    kernels::gemm(backend, rows, out, width, T(1), left, Matrix<T>{weight.data<T>() + int64_t(i) * width, in, true},
                  beta, y, out, finish, form.precision);
  }
}

/// dz = f′ ⊙ dy, where there is an f.
template <class T, class Backend>
Tensor before_activation(Backend backend, const LinearForm& form, const Tensor& y, const Tensor& dy) {
  if (!form.activation) return dy;
  Tensor dz = empty_like(dy);
  kernels::activation_backward(backend, *form.activation, y.data<T>(), y.data<T>(), dy.data<T>(), Grad<T>{dz.data<T>()},
                               dy.elements());
  return dz;
}

}  // namespace

/// y = f(z), z = Σ_i x_i W_iᵀ + b;  dz = f′(z) dy   dx_i = dz W_i   dW_i = dzᵀ x_i   db = Σ_rows dz.
/// x_i [..., width], W = [W_1 W_2 …] [out, in], b [out], y [..., out]; f′ follows from y.
Variable linear(std::span<const Variable> x, const Variable& weight, const Variable& bias, LinearForm form) {
  check_linear(x, weight, bias, form);
  const int64_t rows = x[0].rows(), width = x[0].cols(), out = weight.size(0), in = weight.size(1);
  Tensor y(x[0].shape().with(-1, out), x[0].dtype(), x[0].value().device());
  dispatch(floating, y, [&](auto backend, auto type) {
    products<decltype(type)>(backend, x, weight, bias, form, y.data<decltype(type)>());
  });
  std::vector<Variable> inputs(x.begin(), x.end());
  std::vector<Tensor> values;
  for (const Variable& input : x) values.push_back(input.value());
  inputs.push_back(weight);
  if (bias.defined()) inputs.push_back(bias);
  const auto backward = [=, y = form.activation ? y : Tensor(), weight = weight.value()](const Tensor& dy,
                                                                                         Gradients dx) {
    dispatch(floating, dy, [&](auto backend, auto type) {
      using T = decltype(type);
      const Tensor dz = before_activation<T>(backend, form, y, dy);
      const Matrix<T> d{dz.data<T>(), out}, d_transposed{dz.data<T>(), out, true};
      const size_t n = values.size();
      for (size_t i = 0; i < n; ++i) {
        const Grad<T> gx = dx[i].template into<T>();
        if (!gx) continue;
        kernels::gemm(backend, rows, width, out, T(1), d, Matrix<T>{weight.data<T>() + int64_t(i) * width, in},
                      gx.add ? T(1) : T(0), gx.data, width, {}, form.precision);
      }
      const Grad<T> gw = dx[n].template into<T>();
      for (size_t i = 0; gw && i < n; ++i) {
        kernels::gemm(backend, out, width, rows, T(1), d_transposed, Matrix<T>{values[i].template data<T>(), width},
                      gw.add ? T(1) : T(0), gw.data + int64_t(i) * width, in, {}, form.precision);
      }
      if (dx.size() > n + 1 && dx[n + 1]) {
        kernels::sum_rows(backend, dz.data<T>(), out, dx[n + 1].template into<T>(), rows, out);
      }
    });
  };
  return record(Op::linear, y, inputs, backward);
}

}  // namespace autograd
