#pragma once
#include "kernels/arithmetic.h"

/// What both devices know of a broadcast: how its results are walked, and which derivative is meant.
namespace kernels {

template <class F>
ACE_HD void with_arithmetic(Arithmetic which, const F& f) {
  switch (which) {
    case Arithmetic::add:
      return f(Add());
    case Arithmetic::sub:
      return f(Sub());
    case Arithmetic::mul:
      return f(Mul());
    case Arithmetic::div:
      return f(Div());
  }
}

/// A place in a, b and the result.
struct Offset {
  int64_t a = 0, b = 0, y = 0;
  ACE_HD Offset operator+(Offset other) const { return {a + other.a, b + other.b, y + other.y}; }
};

/// Some dimensions of a broadcast, and how far a step in each moves.
struct Walk {
  int rank = 0;
  int64_t size[Broadcast::max_rank] = {}, count = 1;
  Offset stride[Broadcast::max_rank] = {};

  void append(int64_t n, Offset step) {
    size[rank] = n, stride[rank] = step;
    ++rank, count *= n;
  }
  /// Where the index-th combination, counted row-major, starts.
  ACE_HD Offset at(int64_t index) const {
    Offset sum;
    for (int d = rank - 1; d >= 0; --d) {
      const int64_t i = d == 0 ? index : index % size[d];
      if (d > 0) index /= size[d];
      sum.a += i * stride[d].a, sum.b += i * stride[d].b, sum.y += i * stride[d].y;
    }
    return sum;
  }
};

/// A collapsed broadcast as innermost lines, and the outer dimensions in which the operand with strides `wanted` moves
/// (kept) or is repeated.
struct Lines {
  int64_t length = 1;
  bool line_kept = true;
  Walk kept, repeated;

  Lines(const Broadcast& s, const int64_t* wanted) {
    const int last = s.rank - 1;
    length = s.size[last], line_kept = wanted[last] != 0;
    int64_t y_stride = 1, y_strides[Broadcast::max_rank];
    for (int d = last; d >= 0; --d) y_strides[d] = y_stride, y_stride *= s.size[d];
    for (int d = 0; d < last; ++d) {
      (wanted[d] != 0 ? kept : repeated).append(s.size[d], {s.a_stride[d], s.b_stride[d], y_strides[d]});
    }
  }
};

/// The derivatives by one operand, and what they read.
template <class Op>
struct ByA {
  static constexpr Reads reads = Op::reads_for_a;
  template <class A>
  static ACE_HD A value(A a, A b) {
    return Op::derivative_a(a, b);
  }
};
template <class Op>
struct ByB {
  static constexpr Reads reads = Op::reads_for_b;
  template <class A>
  static ACE_HD A value(A a, A b) {
    return Op::derivative_b(a, b);
  }
};

}  // namespace kernels
