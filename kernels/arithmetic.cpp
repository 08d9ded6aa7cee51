#include "kernels/arithmetic.h"

#include <algorithm>
#include <type_traits>

#include "kernels/broadcast.h"
#include "kernels/put.h"
#include "kernels/sums.h"

namespace kernels {
namespace {

using One = std::integral_constant<int64_t, 1>;
using Zero = std::integral_constant<int64_t, 0>;

/// Calls f with the strides of a and b along a line, as constants, so that its loops vectorise. An operand that is not
/// read counts as moving.
template <Reads reads = Reads::both, class F>
void with_strides(const Broadcast& s, const F& f) {
  if constexpr ((int(reads) & int(Reads::a)) != 0) {
    if (s.a_stride[s.rank - 1] == 0) return f(Zero(), One());
  }
  if constexpr ((int(reads) & int(Reads::b)) != 0) {
    if (s.b_stride[s.rank - 1] == 0) return f(One(), Zero());
  }
  f(One(), One());
}

/// Shares `rows` lines of `length` elements out to the threads, in pieces if there are few lines: f(row, first, width).
template <class F>
void for_pieces(Cpu cpu, int64_t rows, int64_t length, const F& f) {
  cpu.parallel(rows * length, 1, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin / length, first = begin % length; begin < end; ++row, first = 0) {
      const int64_t width = std::min(length - first, end - begin);
      f(row, first, width);
      begin += width;
    }
  });
}

/// g = (or +=) Σ D(a, b) dy over the repeated dimensions; element(o) gives the addends of the line that starts at o,
/// `place` says which of the operands g belongs to.
template <class T, class Element>
void put_gradient(Cpu cpu, const Lines& lines, int64_t Offset::*place, Grad<T> g, const Element& element) {
  const Walk &kept = lines.kept, &repeated = lines.repeated;
  const int64_t length = lines.length;
  if (lines.line_kept && repeated.rank == 0) {
    for_pieces(cpu, kept.count, length, [&](int64_t row, int64_t first, int64_t width) {
      const Offset o = kept.at(row);
      put_each(OneThread(), g.at(o.*place + first), width, [f = element(o), first](int64_t c) { return f(first + c); });
    });
  } else if (lines.line_kept) {
    sum_columns<T>(
        cpu, kept.count, repeated.count, length,
        [&](int64_t o, int64_t r) { return element(kept.at(o) + repeated.at(r)); },
        [&](int64_t o, int64_t first, int64_t width, const double* total) {
          put_each(OneThread(), g.at(kept.at(o).*place + first), width, [=](int64_t c) { return T(total[c]); });
        });
  } else if (kept.count == 1 && repeated.count == 1) {
    g.put(0, T(sum_all(cpu, length, element(Offset()))));
  } else {
    cpu.parallel(kept.count, 2 * repeated.count * length, [&](int64_t begin, int64_t end) {
      for (int64_t row = begin; row < end; ++row) {
        const Offset o = kept.at(row);
        double total = 0;
        for (int64_t r = 0; r < repeated.count; ++r) total += sum_range(0, length, element(o + repeated.at(r)));
        g.put(o.*place, T(total));
      }
    });
  }
}

template <class D, class T>
void backward(Cpu cpu, const Broadcast& shape, int64_t (Broadcast::*wanted)[Broadcast::max_rank],
              int64_t Offset::*place, const T* a, const T* b, const T* dy, Grad<T> g) {
  const Broadcast s = collapse(shape);
  const Lines lines(s, s.*wanted);
  constexpr bool reads_a = (int(D::reads) & int(Reads::a)) != 0, reads_b = (int(D::reads) & int(Reads::b)) != 0;
  with_strides<D::reads>(s, [&](auto a_stride, auto b_stride) {
    put_gradient(cpu, lines, place, g, [=](Offset o) {
      const T* const y_line = dy + o.y;  // also stands in for an operand that is not read
      const T* const a_line = reads_a ? a + o.a : y_line;
      const T* const b_line = reads_b ? b + o.b : y_line;
      return [=](int64_t c) { return D::value(a_line[c * a_stride], b_line[c * b_stride]) * y_line[c]; };
    });
  });
}

}  // namespace

Broadcast collapse(const Broadcast& shape) {
  Broadcast result;
  for (int d = 0; d < shape.rank; ++d) {
    if (shape.size[d] == 1) continue;
    const int64_t size = shape.size[d], a = shape.a_stride[d], b = shape.b_stride[d];
    const int last = result.rank - 1;
    const bool merge = last >= 0 && result.a_stride[last] == size * a && result.b_stride[last] == size * b;
    const int to = merge ? last : result.rank++;
    result.size[to] = merge ? result.size[to] * size : size;
    result.a_stride[to] = a, result.b_stride[to] = b;
  }
  if (result.rank == 0) result.rank = 1, result.size[0] = result.a_stride[0] = result.b_stride[0] = 1;
  return result;
}

template <class T>
void arithmetic(Cpu cpu, Arithmetic which, const Broadcast& shape, const T* a, const T* b, T* y) {
  const Broadcast s = collapse(shape);
  constexpr int64_t everywhere[Broadcast::max_rank] = {1, 1, 1, 1, 1, 1};
  const Lines lines(s, everywhere);
  with_arithmetic(which, [&](auto op) {
    using Op = decltype(op);
    with_strides(s, [&](auto a_stride, auto b_stride) {
      for_pieces(cpu, lines.kept.count, lines.length, [&](int64_t row, int64_t first, int64_t width) {
        const Offset o = lines.kept.at(row);
        OneThread().each(
            width, [=, a = a + o.a + first * a_stride, b = b + o.b + first * b_stride, y = y + o.y + first](int64_t c) {
              y[c] = Op::value(a[c * a_stride], b[c * b_stride]);
            });
      });
    });
  });
}

template <class T>
void arithmetic_backward_a(Cpu cpu, Arithmetic which, const Broadcast& shape, const T* a, const T* b, const T* dy,
                           Grad<T> da) {
  with_arithmetic(
      which, [&](auto op) { backward<ByA<decltype(op)>>(cpu, shape, &Broadcast::a_stride, &Offset::a, a, b, dy, da); });
}

template <class T>
void arithmetic_backward_b(Cpu cpu, Arithmetic which, const Broadcast& shape, const T* a, const T* b, const T* dy,
                           Grad<T> db) {
  with_arithmetic(
      which, [&](auto op) { backward<ByB<decltype(op)>>(cpu, shape, &Broadcast::b_stride, &Offset::b, a, b, dy, db); });
}

template <class T>
void scale(Cpu cpu, T factor, const T* x, Grad<T> y, int64_t n) {
  put_elements(cpu, y, n, 1, [=](int64_t i) { return factor * x[i]; });
}

#define ACE_INSTANTIATE(T)                                                                                       \
  template void arithmetic(Cpu, Arithmetic, const Broadcast&, const T*, const T*, T*);                           \
  template void arithmetic_backward_a(Cpu, Arithmetic, const Broadcast&, const T*, const T*, const T*, Grad<T>); \
  template void arithmetic_backward_b(Cpu, Arithmetic, const Broadcast&, const T*, const T*, const T*, Grad<T>); \
  template void scale(Cpu, T, const T*, Grad<T>, int64_t);
ACE_INSTANTIATE(float)
ACE_INSTANTIATE(double)

}  // namespace kernels
