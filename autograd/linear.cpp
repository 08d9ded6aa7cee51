#include "autograd/functions.h"
#include "kernels/gemm.h"
#include "kernels/reduce.h"

namespace autograd {

using kernels::Accumulator;
using kernels::Grad;
using kernels::Matrix;
using tensor::activations;
using tensor::check;
using tensor::dispatch;
using tensor::DType;
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
  dispatch(activations, c, [&](auto backend, auto type) {
    using T = decltype(type);
    using A = Accumulator<T>;
    kernels::gemm_batched(backend, p.batch, p.m, p.n, p.k, A(1), Matrix<T>{a.data<T>(), p.a_stride, ta}, p.a_step,
                          Matrix<T>{b.data<T>(), p.b_stride, tb}, p.b_step, A(0), c.data<T>(), p.n, p.c_step);
  });
  return record(Op::matmul, c, {a, b}, [p, ta, tb, a = a.value(), b = b.value()](const Tensor& dy, Gradients dx) {
    dispatch(activations, dy, [&](auto backend, auto type) {
      using T = decltype(type);
      using A = Accumulator<T>;
      const T* d = dy.data<T>();
      if (const Grad<T> da = dx[0].into<T>()) {
        const Matrix<T> other{b.data<T>(), p.b_stride, !tb};
        const A beta = da.add ? A(1) : A(0);
        if (!ta) {  // dA = D op(B)ᵀ
          kernels::gemm_batched(backend, p.batch, p.m, p.k, p.n, A(1), Matrix<T>{d, p.n}, p.c_step, other, p.b_step,
                                beta, da.data, p.a_stride, p.a_step);
        } else {  // dA = op(B) Dᵀ
          kernels::gemm_batched(backend, p.batch, p.k, p.m, p.n, A(1), Matrix<T>{b.data<T>(), p.b_stride, tb}, p.b_step,
                                Matrix<T>{d, p.n, true}, p.c_step, beta, da.data, p.a_stride, p.a_step);
        }
      }
      const bool sums = p.b_step == 0 && p.batch != 1;  // one b for many: their gradients add up
      if (const Grad<T> db = sums ? dx[1].sparse<T>() : dx[1].into<T>()) {
        const auto share = [&](int64_t batch, int64_t i, A beta) {
          const T *x = a.data<T>() + i * p.a_step, *g = d + i * p.c_step;
          if (!tb) {  // dB = op(A)ᵀ D
            kernels::gemm_batched(backend, batch, p.k, p.n, p.m, A(1), Matrix<T>{x, p.a_stride, !ta}, p.a_step,
                                  Matrix<T>{g, p.n}, p.c_step, beta, db.data, p.b_stride, p.b_step);
          } else {  // dB = Dᵀ op(A)
            kernels::gemm_batched(backend, batch, p.n, p.k, p.m, A(1), Matrix<T>{g, p.n, true}, p.c_step,
                                  Matrix<T>{x, p.a_stride, ta}, p.a_step, beta, db.data, p.b_stride, p.b_step);
          }
        };
        if (!sums) share(p.batch, 0, db.add ? A(1) : A(0));
        for (int64_t i = 0; sums && i < p.batch; ++i) share(1, i, A(1));
      }
    });
  });
}

struct FrozenWeight {
  kernels::Precision precision;
  std::vector<Tensor> parts;  ///< packed: the columns of each input
};

void freeze_weight(const Variable& weight, int64_t inputs, kernels::Precision precision) {
  check(inputs == 0 || (weight.value().rank() == 2 && inputs > 0 && weight.size(1) % inputs == 0),
        "linear: a weight {} cannot serve {} inputs of equal width", weight.shape(), inputs);
  if (weight.dtype() != DType::f32) return weight.freeze(nullptr);
  auto form = std::make_shared<FrozenWeight>(FrozenWeight{precision, {}});
  for (int64_t i = 0; i < inputs; ++i) {
    const int64_t out = weight.size(0), in = weight.size(1), width = in / inputs;
    dispatch(tensor::TypeList<float>(), weight.value(), [&](auto backend, auto) {
      Tensor part(Shape{kernels::gemm_packed_bytes(backend, out, width, precision)}, DType::u8,
                  weight.value().device());
      kernels::gemm_pack(backend, out, width, Matrix<float>{weight.data<float>() + i * width, in, true}, precision,
                         part.raw());
      form->parts.push_back(part);
    });
  }
  weight.freeze(form);
}

DType activation_type(const Variable& table, kernels::Precision precision) {
  if (table.value().device() == tensor::Device::cpu || table.dtype() != DType::f32) return table.dtype();
  if (table.frozen()) precision = table.frozen()->precision;
  if (precision == kernels::Precision::f16) return DType::f16;
  return precision == kernels::Precision::bf16 ? DType::bf16 : DType::f32;
}

namespace {

void check_linear(std::span<const Variable> x, const Variable& weight, const Variable& bias, const LinearForm& form) {
  check(!x.empty() && weight.value().rank() == 2,
        "linear: expected a weight [out, in] and inputs, found {} and {} inputs", weight.shape(), x.size());
  for (const Variable& input : x) {
    check(input.shape() == x[0].shape() && input.dtype() == x[0].dtype() &&
              weight.dtype() == tensor::accumulator_of(input.dtype()) &&
              weight.size(1) == int64_t(x.size()) * input.cols(),
          "linear: expected {} inputs of one shape and type whose columns add up to those of the weight, {} {}; found "
          "{} {}",
          x.size(), tensor::name_of(weight.dtype()), weight.shape(), tensor::name_of(input.dtype()), input.shape());
  }
  check(!weight.frozen() || weight.frozen()->parts.size() == x.size(),
        "linear: a weight that was frozen for {} inputs is given {}",
        weight.frozen() ? weight.frozen()->parts.size() : 0, x.size());
  check(!weight.frozen() || weight.dtype() == x[0].dtype() ||
            activation_type(weight, kernels::Precision::full) == x[0].dtype(),
        "linear: a weight that was frozen for another precision is given {}", tensor::name_of(x[0].dtype()));
  check(!bias.defined() || bias.shape() == Shape{weight.size(0)}, "linear: expected bias [{}], found {}",
        weight.size(0), bias.defined() ? bias.shape() : Shape{});
  using enum kernels::Activation;
  check(!form.activation || (*form.activation != silu && *form.activation != gelu),
        "linear: the derivatives of silu and gelu do not follow from their values; apply them apart");
}

/// A parameter in the numbers of activations: itself, or its copy in 16 bits.
Tensor in_type(const Variable& parameter, DType type) {
  return parameter.dtype() == type ? parameter.value() : parameter.rounded(type);
}

/// y = f(Σ_i x_i W_iᵀ + b), input after input; the last one finishes. y is of the type Y: that of x, or f32.
template <class T, class Y, class Backend>
void products(Backend backend, std::span<const Variable> x, const Variable& weight, const Variable& bias,
              const LinearForm& form, Y* y) {
  using A = Accumulator<T>;
  const int64_t rows = x[0].rows(), width = x[0].cols(), out = weight.size(0), in = weight.size(1);
  for (size_t i = 0; i < x.size(); ++i) {
    kernels::Finish<A> finish;
    if (i + 1 == x.size()) finish.activation = form.activation;
    if (i + 1 == x.size() && bias.defined()) {
      finish.bias = bias.data<A>();
      if (!std::is_same_v<Y, A>) finish.rounded = bias.rounded(tensor::dtype_of<Y>).raw();
    }
    const Matrix<T> left{x[i].data<T>(), width};
    const A beta = i == 0 ? A(0) : A(1);
    if constexpr (!std::is_same_v<T, double>) {
      if (const FrozenWeight* frozen = weight.frozen()) {
        kernels::gemm_packed(backend, rows, out, width, A(1), left, frozen->parts[i].raw(), beta, y, out, finish,
                             frozen->precision);
        continue;
      }
    }
    const Tensor factor = in_type(weight, tensor::dtype_of<T>);
    const Matrix<T> right{factor.data<T>() + int64_t(i) * width, in, true};
    kernels::gemm(backend, rows, out, width, A(1), left, right, beta, y, out, finish, form.precision);
  }
}

/// dz = f′ ⊙ dy, where there is an f.
Tensor before_activation(const LinearForm& form, const Tensor& y, const Tensor& dy) {
  if (!form.activation) return dy;
  Tensor dz = empty_like(dy);
  dispatch(activations, dy, [&](auto backend, auto type) {
    using T = decltype(type);
    kernels::activation_backward(backend, *form.activation, y.data<T>(), y.data<T>(), dy.data<T>(),
                                 Grad<T>{dz.data<T>()}, dy.elements());
  });
  return dz;
}

/// db = Σ_rows dz
void bias_gradient(const Tensor& dz, const Gradient& db) {
  if (!db) return;
  dispatch(activations, dz, [&](auto backend, auto type) {
    using T = decltype(type);
    kernels::sum_rows(backend, dz.data<T>(), dz.cols(), db.into<Accumulator<T>>(), dz.rows(), dz.cols());
  });
}

}  // namespace

/// y = f(z), z = Σ_i x_i W_iᵀ + b;  dz = f′(z) dy   dx_i = dz W_i   dW_i = dzᵀ x_i   db = Σ_rows dz.
/// x_i [..., width], W = [W_1 W_2 …] [out, in], b [out], y [..., out]; f′ follows from y.
Variable linear(std::span<const Variable> x, const Variable& weight, const Variable& bias, LinearForm form) {
  check_linear(x, weight, bias, form);
  const int64_t rows = x[0].rows(), width = x[0].cols(), out = weight.size(0), in = weight.size(1);
  Tensor y(x[0].shape().with(-1, out), form.wide ? weight.dtype() : x[0].dtype(), x[0].value().device());
  dispatch(activations, x[0].value(), [&](auto backend, auto type) {
    using T = decltype(type);
    using A = Accumulator<T>;
    if (y.dtype() == tensor::dtype_of<A>) {
      products<T>(backend, x, weight, bias, form, y.data<A>());
    } else {
      products<T>(backend, x, weight, bias, form, y.data<T>());
    }
  });
  std::vector<Variable> inputs(x.begin(), x.end());
  std::vector<Tensor> values;
  for (const Variable& input : x) values.push_back(input.value());
  inputs.push_back(weight);
  if (bias.defined()) inputs.push_back(bias);
  const auto backward = [=, y = form.activation ? y : Tensor()](const Tensor& dy, Gradients dx) {
    const size_t n = values.size();
    const DType type = values[0].dtype();
    const Tensor dz = before_activation(form, y, dy), factor = dz.dtype() == type ? dz : dz.to(type);
    dispatch(activations, factor, [&](auto backend, auto type) {
      using T = decltype(type);
      using A = Accumulator<T>;
      const Matrix<T> d{factor.data<T>(), out}, d_transposed{factor.data<T>(), out, true};
      for (size_t i = 0; i < n; ++i) {
        const Grad<T> gx = dx[i].template into<T>();
        if (!gx) continue;
        const Tensor w = in_type(weight, tensor::dtype_of<T>);
        kernels::gemm(backend, rows, width, out, A(1), d, Matrix<T>{w.data<T>() + int64_t(i) * width, in},
                      gx.add ? A(1) : A(0), gx.data, width, {}, form.precision);
      }
      const Grad<A> gw = dx[n].template into<A>();
      for (size_t i = 0; gw && i < n; ++i) {
        kernels::gemm(backend, out, width, rows, A(1), d_transposed, Matrix<T>{values[i].template data<T>(), width},
                      gw.add ? A(1) : A(0), gw.data + int64_t(i) * width, in, {}, form.precision);
      }
    });
    if (dx.size() > n + 1) bias_gradient(dz, dx[n + 1]);
  };
  return record(Op::linear, y, inputs, backward);
}

}  // namespace autograd
