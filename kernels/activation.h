#pragma once
#include "kernels/backend.h"
#include "kernels/math.h"
#include "kernels/number.h"

namespace kernels {

enum class Activation { relu, elu, silu, sigmoid, tanh, gelu };

/// Each function as value f(x) and derivative f′(x); the derivative is handed y = f(x) too, because some are cheaper
/// from it. Element by element:  y_i = f(x_i),  dx_i = f′(x_i) dy_i.

/// f = max(x, 0);  f′ = 1 for x > 0, else 0 (at 0 too). A NaN stays.
struct Relu {
  template <class A>
  static ACE_HD A value(A x) {
    return x < A(0) ? A(0) : x;
  }
  template <class A>
  static ACE_HD A derivative(A x, A) {
    return x > A(0) ? A(1) : A(0);
  }
};

/// f = x for x > 0, else e^x − 1;  f′ = 1, or e^x = y + 1.
struct Elu {
  template <class A>
  static ACE_HD A value(A x) {
    const A below = expm1(x > A(0) ? A(0) : x);
    return x > A(0) ? x : below;
  }
  template <class A>
  static ACE_HD A derivative(A x, A y) {
    return x > A(0) ? A(1) : y + A(1);
  }
};

/// f = x σ(x);  f′ = σ (1 + x (1 − σ)).
struct Silu {
  template <class A>
  static ACE_HD A value(A x) {
    return x * kernels::sigmoid(x);
  }
  template <class A>
  static ACE_HD A derivative(A x, A) {
    const A s = kernels::sigmoid(x);
    return s * (A(1) + x * (A(1) - s));
  }
};

/// f = σ(x) = 1 / (1 + e^−x);  f′ = y (1 − y).
struct Sigmoid {
  template <class A>
  static ACE_HD A value(A x) {
    return kernels::sigmoid(x);
  }
  template <class A>
  static ACE_HD A derivative(A, A y) {
    return y * (A(1) - y);
  }
};

/// f = tanh x;  f′ = 1 − y².
struct Tanh {
  template <class A>
  static ACE_HD A value(A x) {
    return kernels::tanh(x);
  }
  template <class A>
  static ACE_HD A derivative(A, A y) {
    return A(1) - y * y;
  }
};

/// Φ(x) = ∫_{−∞}^x φ, φ(x) = e^(−x²/2) / √(2π): the normal distribution. f32: the tail 1 − Φ(u), u = |x|, is
/// e^(−u²/2) t P(t), t = 1 / (1 + 0.26 u), P fitted at Chebyshev nodes for 0 ≤ u ≤ 14 (relative error under 1e-7), so
/// no digits cancel on either side, and loops vectorise.
ACE_HD float normal_cdf(float x) {
  const float t = 1.0f / (1.0f + 0.26f * (x < 0 ? -x : x));
  float p = 0.0321890587f;
  p = p * t - 0.16085816f;
  p = p * t + 0.267731232f;
  p = p * t - 0.169100441f;
  p = p * t + 0.173176696f;
  p = p * t + 0.0459559995f;
  p = p * t + 0.104291785f;
  p = p * t + 0.102844979f;
  p = p * t + 0.103768854f;
  const float tail = p * t * kernels::exp(-0.5f * x * x);
  return x < 0 ? tail : 1.0f - tail;
}
ACE_HD double normal_cdf(double x) { return 0.5 * ::erfc(-0.70710678118654752440 * x); }

/// f = x Φ(x);  f′ = Φ + x φ.
struct Gelu {
  template <class A>
  static ACE_HD A value(A x) {
    return x * normal_cdf(x);
  }
  template <class A>
  static ACE_HD A derivative(A x, A) {
    return normal_cdf(x) + x * A(0.39894228040143267794) * kernels::exp(A(-0.5) * x * x);
  }
};

/// Calls f with the struct of the activation.
template <class F>
ACE_HD void with_activation(Activation which, const F& f) {
  switch (which) {
    case Activation::relu:
      return f(Relu());
    case Activation::elu:
      return f(Elu());
    case Activation::silu:
      return f(Silu());
    case Activation::sigmoid:
      return f(Sigmoid());
    case Activation::tanh:
      return f(Tanh());
    case Activation::gelu:
      return f(Gelu());
  }
}

/// y_i = f(x_i) for i in 0 … n−1. y may be x.
template <class T>
void activation(Cpu, Activation, const T* x, T* y, int64_t n);
/// dx_i = (or +=) f′(x_i) dy_i, with y_i = f(x_i).
template <class T>
void activation_backward(Cpu, Activation, const T* x, const T* y, const T* dy, Grad<T> dx, int64_t n);

/// On the GPU in f32, f64, f16 and bf16.
template <class T>
void activation(Cuda, Activation, const T* x, T* y, int64_t n);
template <class T>
void activation_backward(Cuda, Activation, const T* x, const T* y, const T* dy, Grad<T> dx, int64_t n);

}  // namespace kernels
