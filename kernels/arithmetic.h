#pragma once
#include "kernels/backend.h"
#include "kernels/number.h"

namespace kernels {

enum class Arithmetic { add, sub, mul, div };

/// y = a ∘ b with its two derivatives, element by element:  da = ∂y/∂a dy,  db = ∂y/∂b dy. Which operands a derivative
/// reads is part of the formula: what it does not read need not be kept.
enum class Reads { none = 0, a = 1, b = 2, both = 3 };

/// y = a + b;  ∂a = 1;  ∂b = 1.
struct Add {
  static constexpr Reads reads_for_a = Reads::none, reads_for_b = Reads::none;
  template <class A>
  static ACE_HD A value(A a, A b) {
    return a + b;
  }
  template <class A>
  static ACE_HD A derivative_a(A, A) {
    return A(1);
  }
  template <class A>
  static ACE_HD A derivative_b(A, A) {
    return A(1);
  }
};

/// y = a − b;  ∂a = 1;  ∂b = −1.
struct Sub {
  static constexpr Reads reads_for_a = Reads::none, reads_for_b = Reads::none;
  template <class A>
  static ACE_HD A value(A a, A b) {
    return a - b;
  }
  template <class A>
  static ACE_HD A derivative_a(A, A) {
    return A(1);
  }
  template <class A>
  static ACE_HD A derivative_b(A, A) {
    return A(-1);
  }
};

/// y = a b;  ∂a = b;  ∂b = a.
struct Mul {
  static constexpr Reads reads_for_a = Reads::b, reads_for_b = Reads::a;
  template <class A>
  static ACE_HD A value(A a, A b) {
    return a * b;
  }
  template <class A>
  static ACE_HD A derivative_a(A, A b) {
    return b;
  }
  template <class A>
  static ACE_HD A derivative_b(A a, A) {
    return a;
  }
};

/// y = a / b;  ∂a = 1 / b;  ∂b = −a / b².
struct Div {
  static constexpr Reads reads_for_a = Reads::b, reads_for_b = Reads::both;
  template <class A>
  static ACE_HD A value(A a, A b) {
    return a / b;
  }
  template <class A>
  static ACE_HD A derivative_a(A, A b) {
    return A(1) / b;
  }
  template <class A>
  static ACE_HD A derivative_b(A a, A b) {
    return -(a / b) / b;
  }
};

/// How two operands are walked together: sizes of the result, outermost first, and for each dimension how far a step
/// moves in each operand; 0 where that operand is repeated. The result is row-major without gaps, and so is an operand
/// over the dimensions in which it is not repeated. In no dimension longer than 1 are both repeated.
struct Broadcast {
  static constexpr int max_rank = 6;
  int rank = 0;
  int64_t size[max_rank] = {}, a_stride[max_rank] = {}, b_stride[max_rank] = {};
};

/// The same walk in fewer dimensions: those of size 1 dropped, neighbours that both operands walk as one merged. At
/// least one dimension is left.
Broadcast collapse(const Broadcast& shape);

/// y = a ∘ b over the broadcast shape.
template <class T>
void arithmetic(Cpu, Arithmetic, const Broadcast&, const T* a, const T* b, T* y);

/// da = (or +=) Σ ∂y/∂a dy, db = (or +=) Σ ∂y/∂b dy; the sums run over the dimensions in which the operand was
/// repeated, because each of its elements took part in all of those results. An operand that the derivative does not
/// read may be null.
template <class T>
void arithmetic_backward_a(Cpu, Arithmetic, const Broadcast&, const T* a, const T* b, const T* dy, Grad<T> da);
template <class T>
void arithmetic_backward_b(Cpu, Arithmetic, const Broadcast&, const T* a, const T* b, const T* dy, Grad<T> db);

/// y_i = (or +=) factor · x_i;  its gradient is the same function of dy.
template <class T>
void scale(Cpu, T factor, const T* x, Grad<T> y, int64_t n);

/// On the GPU in f32, f64, f16 and bf16.
template <class T>
void arithmetic(Cuda, Arithmetic, const Broadcast&, const T* a, const T* b, T* y);
template <class T>
void arithmetic_backward_a(Cuda, Arithmetic, const Broadcast&, const T* a, const T* b, const T* dy, Grad<T> da);
template <class T>
void arithmetic_backward_b(Cuda, Arithmetic, const Broadcast&, const T* a, const T* b, const T* dy, Grad<T> db);
template <class T>
void scale(Cuda, Accumulator<T> factor, const T* x, Grad<T> y, int64_t n);

}  // namespace kernels
