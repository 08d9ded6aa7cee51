#include "kernels/arithmetic.h"

#include "kernels/broadcast.h"
#include "kernels/packs.h"

namespace kernels {
namespace {

/// y = a ∘ b, or its derivative by one of them, of an operation that is told at run time: a branch that all threads
/// take alike costs nothing beside the memory, and there is one kernel for four.
struct Value {
  Arithmetic which;
  template <class A>
  __device__ A operator()(A a, A b) const {
    A y = 0;
    with_arithmetic(which, [&](auto op) { y = decltype(op)::value(a, b); });
    return y;
  }
};
struct Derivative {
  Arithmetic which;
  bool by_a;
  template <class A>
  __device__ A operator()(A a, A b) const {
    A d = 0;
    with_arithmetic(which, [&](auto op) {
      using Op = decltype(op);
      d = by_a ? ByA<Op>::value(a, b) : ByB<Op>::value(a, b);
    });
    return d;
  }
  Reads reads() const {
    Reads result = Reads::both;
    with_arithmetic(which, [&](auto op) { result = by_a ? ByA<decltype(op)>::reads : ByB<decltype(op)>::reads; });
    return result;
  }
};

/// What a result is made of: the operands, null where nothing is read of them, and dy in a backward pass. F says what
/// to make of them.
template <class F, class T>
struct Operands {
  using A = Accumulator<T>;
  F f;
  const T *a, *b, *dy;
  bool a_repeated, b_repeated;  ///< along a line

  Operands(F f, const Broadcast& s, const T* a, const T* b, const T* dy)
      : f(f), a(a), b(b), dy(dy), a_repeated(s.a_stride[s.rank - 1] == 0), b_repeated(s.b_stride[s.rank - 1] == 0) {}

  template <int N>
  bool packs_fit() const {
    return (a_repeated || kernels::packs_fit<N>(a)) && (b_repeated || kernels::packs_fit<N>(b)) &&
           kernels::packs_fit<N>(dy);
  }
  /// Elements first … first + N − 1 of the line that starts at o, into y.
  template <int N>
  __device__ void put(Offset o, int64_t first, Grad<T> y) const {
    Values<T, N> x, z, d;
    if (a != nullptr) x.read(a + o.a + (a_repeated ? 0 : first), a_repeated);
    if (b != nullptr) z.read(b + o.b + (b_repeated ? 0 : first), b_repeated);
    if (dy != nullptr) d.read(dy + o.y + first);
    put_pack<N>(y, [&](int j) { return dy == nullptr ? f(x.at[j], z.at[j]) : f(x.at[j], z.at[j]) * d.at[j]; });
  }
  /// Element c of that line as an addend of a gradient.
  __device__ double operator()(Offset o, int64_t c) const {
    const A x = a == nullptr ? A(0) : A(a[o.a + (a_repeated ? 0 : c)]);
    const A z = b == nullptr ? A(0) : A(b[o.b + (b_repeated ? 0 : c)]);
    return double(f(x, z) * A(dy[o.y + c]));
  }
};

/// One result, or one gradient, for every element of the broadcast.
template <int N, class F, class T>
__global__ void elements_kernel(Walk lines, int64_t length, Operands<F, T> from, Grad<T> y) {
  each_pack<N>(lines.count, length, [&](int64_t row, int64_t first, auto width) {
    const Offset o = lines.at(row);
    from.template put<width.value>(o, first, y.at(o.y + first));
  });
}

template <class F, class T>
void elements(Cuda cuda, const Lines& lines, const Operands<F, T>& from, Grad<T> y) {
  constexpr int most = pack_size<T>;
  const bool lines_fit = lines.kept.count == 1 || lines.length % most == 0;
  with_packs<most>(lines_fit && packs_fit<most>(y.data) && from.template packs_fit<most>(), [&](auto size) {
    const PackGrid<size.value> grid(lines.kept.count, lines.length);
    launch(elements_kernel<size.value, F, T>, grid.blocks, grid.threads, 0, cuda.stream(), lines.kept, lines.length,
           from, y);
  });
}

/// Where sums over repeated dimensions go. Each of the K sums is cut into `slices` of `slice` addends, by the sizes
/// alone, so that few long sums busy the whole card; slices of more than one are added in f64 by finish_kernel.
template <class T>
struct Sums {
  Grad<T> g;
  int64_t count, slices, slice;
  double* partial = nullptr;  ///< [slices, count]

  Sums(Cuda cuda, Grad<T> g, int64_t count, int64_t addends, int64_t units, int64_t shortest) : g(g), count(count) {
    constexpr int64_t wanted = 1024;  // blocks
    slices = std::clamp<int64_t>(wanted / std::max<int64_t>(units, 1), 1, std::max<int64_t>(addends / shortest, 1));
    slice = (addends + slices - 1) / slices;
    if (slices > 1) partial = static_cast<double*>(cuda.scratch(0, slices * count * int64_t(sizeof(double))));
  }
  bool ready() const { return slices == 1 || partial != nullptr; }
  __device__ void put(int64_t s, int64_t j, double total) const {
    if (partial != nullptr) {
      partial[s * count + j] = total;
    } else {
      g.put(j, Accumulator<T>(total));
    }
  }
};

template <class T>
__global__ void finish_kernel(Sums<T> sums) {
  const Warp team;
  each_row(team, sums.count, [=](int64_t j) {
    const double total = team.sum(sums.slices, [=](int64_t s) { return sums.partial[s * sums.count + j]; });
    team.each(1, [=](int64_t) { sums.g.put(j, Accumulator<T>(total)); });
  });
}

constexpr int strip = 32, deep = 8;  ///< columns of a block of column_sums_kernel, and rows that it reads at once

/// Sums of columns: the line is kept, so neighbouring threads have neighbouring sums. A block has a strip of one kept
/// line and a slice of the repeated ones.
template <class T>
__global__ void column_sums_kernel(Lines lines, Operands<Derivative, T> addend, Sums<T> sums) {
  __shared__ double found[deep][strip];
  const int64_t strips = (lines.length + strip - 1) / strip;
  const int64_t begin = blockIdx.y * sums.slice, end = std::min(begin + sums.slice, lines.repeated.count);
  for (int64_t unit = blockIdx.x; unit < lines.kept.count * strips; unit += gridDim.x) {
    const int64_t o = unit / strips, c = unit % strips * strip + threadIdx.x;
    double total = 0;
    if (c < lines.length) {
      const Offset start = lines.kept.at(o);
#pragma unroll 8
      for (int64_t r = begin + threadIdx.y; r < end; r += deep) total += addend(start + lines.repeated.at(r), c);
    }
    found[threadIdx.y][threadIdx.x] = total;
    __syncthreads();
    if (threadIdx.y == 0 && c < lines.length) {
      for (int k = 1; k < deep; ++k) total += found[k][threadIdx.x];
      sums.put(blockIdx.y, o * lines.length + c, total);
    }
    __syncthreads();  // `found` has been read
  }
}

/// Sums along lines: a team has a slice of one sum's addends. None begins past the last: there are fewer slices than
/// addends in one.
template <class Team, class T>
__global__ void line_sums_kernel(Lines lines, Operands<Derivative, T> addend, Sums<T> sums) {
  const Team team;
  const int64_t addends = lines.repeated.count * lines.length;
  each_row(team, sums.count * sums.slices, [&](int64_t unit) {
    const int64_t o = unit / sums.slices, s = unit % sums.slices, begin = s * sums.slice;
    const Offset start = lines.kept.at(o);
    const double total = team.sum(std::min(sums.slice, addends - begin), [&](int64_t i) {
      const int64_t t = begin + i;
      if (lines.repeated.count == 1) return addend(start, t);
      return addend(start + lines.repeated.at(t / lines.length), t % lines.length);
    });
    team.each(1, [&](int64_t) { sums.put(s, o, total); });
  });
}

template <class T>
void finish(Cuda cuda, const Sums<T>& sums) {
  if (sums.slices > 1) {
    launch(finish_kernel<T>, blocks_for(sums.count, Warp::warps), Warp::threads, 0, cuda.stream(), sums);
  }
}

template <class T>
void backward(Cuda cuda, const Broadcast& shape, Derivative f, const T* a, const T* b, const T* dy, Grad<T> g) {
  const Broadcast s = collapse(shape);
  const Lines lines(s, f.by_a ? s.a_stride : s.b_stride);
  const int reads = int(f.reads());
  const Operands<Derivative, T> from(f, s, reads & int(Reads::a) ? a : nullptr, reads & int(Reads::b) ? b : nullptr,
                                     dy);
  const int64_t kept = lines.kept.count, repeated = lines.repeated.count;
  if (lines.line_kept && lines.repeated.rank == 0) {
    elements(cuda, lines, from, g);  // nowhere repeated, so g is walked as y is
  } else if (lines.line_kept) {
    const int64_t strips = kept * ((lines.length + strip - 1) / strip);
    const Sums<T> sums(cuda, g, kept * lines.length, repeated, strips, 8 * deep);
    if (!sums.ready()) return;
    const dim3 blocks(blocks_for(strips, 1).x, unsigned(sums.slices));
    launch(column_sums_kernel<T>, blocks, dim3(strip, deep), 0, cuda.stream(), lines, from, sums);
    finish(cuda, sums);
  } else {
    const Sums<T> sums(cuda, g, kept, repeated * lines.length, kept, 4096);
    if (!sums.ready()) return;
    with_team(kept * sums.slices, sums.slice, [&](auto team, dim3 blocks) {
      launch(line_sums_kernel<decltype(team), T>, blocks, team.threads, 0, cuda.stream(), lines, from, sums);
    });
    finish(cuda, sums);
  }
}

template <class T>
struct Times {
  T factor;
  __device__ T operator()(T x) const { return factor * x; }
};

}  // namespace

template <class T>
void arithmetic(Cuda cuda, Arithmetic which, const Broadcast& shape, const T* a, const T* b, T* y) {
  const Broadcast s = collapse(shape);
  constexpr int64_t everywhere[Broadcast::max_rank] = {1, 1, 1, 1, 1, 1};
  elements(cuda, Lines(s, everywhere), Operands<Value, T>({which}, s, a, b, nullptr), Grad<T>{y});
}

template <class T>
void arithmetic_backward_a(Cuda cuda, Arithmetic which, const Broadcast& shape, const T* a, const T* b, const T* dy,
                           Grad<T> da) {
  backward(cuda, shape, {which, true}, a, b, dy, da);
}

template <class T>
void arithmetic_backward_b(Cuda cuda, Arithmetic which, const Broadcast& shape, const T* a, const T* b, const T* dy,
                           Grad<T> db) {
  backward(cuda, shape, {which, false}, a, b, dy, db);
}

template <class T>
void scale(Cuda cuda, Accumulator<T> factor, const T* x, Grad<T> y, int64_t n) {
  map(cuda, Times<Accumulator<T>>{factor}, y, n, x);
}

#define ACE_INSTANTIATE(T)                                                                                        \
  template void arithmetic(Cuda, Arithmetic, const Broadcast&, const T*, const T*, T*);                           \
  template void arithmetic_backward_a(Cuda, Arithmetic, const Broadcast&, const T*, const T*, const T*, Grad<T>); \
  template void arithmetic_backward_b(Cuda, Arithmetic, const Broadcast&, const T*, const T*, const T*, Grad<T>); \
  template void scale(Cuda, Accumulator<T>, const T*, Grad<T>, int64_t);
ACE_INSTANTIATE(float)
ACE_INSTANTIATE(double)
ACE_INSTANTIATE(f16)
ACE_INSTANTIATE(bf16)

}  // namespace kernels
