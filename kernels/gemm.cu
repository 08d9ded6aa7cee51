#include "kernels/gemm.h"

#include <algorithm>
#include <mutex>

#include "kernels/gemm_cuda.h"
#include "kernels/launch.h"
#include "kernels/pack.h"
#include "kernels/working_memory.h"

namespace kernels {
namespace {

/// body(r, c) for every row r < rows and every W-th column c < cols, by blocks of 32 × 8 threads.
template <int W, class Body>
__device__ void walk(int64_t rows, int64_t cols, Body body) {
  const int64_t c = (int64_t(blockIdx.x) * blockDim.x + threadIdx.x) * W;
  if (c >= cols) return;
  for (int64_t r = int64_t(blockIdx.y) * blockDim.y + threadIdx.y; r < rows; r += int64_t(gridDim.y) * blockDim.y) {
    body(r, c);
  }
}
constexpr int wide = 32, tall = 8;
dim3 walkers() { return dim3(wide, tall); }
dim3 walk_blocks(int64_t rows, int64_t cols, int64_t width) {
  const int64_t down = std::min((rows + tall - 1) / tall, most_blocks), step = wide * width;
  return dim3(unsigned((cols + step - 1) / step), unsigned(down));
}

/// What a launcher is told of Finish: its optional is the host's.
template <class A>
struct After {
  const A* bias;
  bool active;
  Activation which;
};

/// y = f(y + bias), row by row, in place. Bound by bytes: one reading and one writing.
template <int W, class T>
__global__ void finish_kernel(T* y, int64_t stride, int64_t rows, int64_t cols, After<Accumulator<T>> after) {
  using A = Accumulator<T>;
  const auto apply = [&](auto f) {
    walk<W>(rows, cols, [&](int64_t r, int64_t c) {
      auto* const pack = reinterpret_cast<Pack<T, W>*>(y + r * stride + c);
      Pack<T, W> values = *pack;
      for (int i = 0; i < W; ++i) values.at[i] = T(f(A(values.at[i]) + (after.bias ? after.bias[c + i] : A(0))));
      *pack = values;
    });
  };
  if (after.active) {
    with_activation(after.which, [&](auto function) { apply([=](A x) { return function.value(x); }); });
  } else {
    apply([](A x) { return x; });
  }
}

/// Whether rows can be walked W numbers at a time.
template <int W, class T>
bool in_packs(const T* data, int64_t stride, int64_t cols) {
  return packs_fit<W>(data) && stride % W == 0 && cols % W == 0;
}

template <class T>
void finish_rows(Cuda cuda, T* y, int64_t stride, int64_t rows, int64_t cols, const Finish<Accumulator<T>>& finish) {
  if (finish.bias == nullptr && !finish.activation) return;
  const After<Accumulator<T>> after{finish.bias, finish.activation.has_value(),
                                    finish.activation.value_or(Activation::relu)};
  constexpr int width = pack_size<T>;
  const bool packs = in_packs<width>(y, stride, cols);
  launch(packs ? finish_kernel<width, T> : finish_kernel<1, T>, walk_blocks(rows, cols, packs ? width : 1), walkers(),
         0, cuda.stream(), y, stride, rows, cols, after);
}

/// y = x in other numbers, row by row. Bound by bytes.
template <int W, class T>
__global__ void convert_kernel(const float* x, int64_t x_stride, T* y, int64_t y_stride, int64_t rows, int64_t cols) {
  walk<W>(rows, cols, [=](int64_t r, int64_t c) {
    const Pack<float, W> from = *reinterpret_cast<const Pack<float, W>*>(x + r * x_stride + c);
    Pack<T, W> to;
    for (int i = 0; i < W; ++i) to.at[i] = T(from.at[i]);
    *reinterpret_cast<Pack<T, W>*>(y + r * y_stride + c) = to;
  });
}

template <class T>
void convert(Cuda cuda, const float* x, int64_t x_stride, T* y, int64_t y_stride, int64_t rows, int64_t cols) {
  constexpr int width = 4;
  const bool packs = in_packs<width>(x, x_stride, cols) && in_packs<width>(y, y_stride, cols);
  launch(packs ? convert_kernel<width, T> : convert_kernel<1, T>, walk_blocks(rows, cols, packs ? width : 1), walkers(),
         0, cuda.stream(), x, x_stride, y, y_stride, rows, cols);
}

/// y [cols, rows] = xᵀ in other numbers, a tile of 32 × 32 a block, so that both sides are read and written along their
/// rows.
template <class T>
__global__ void convert_transposed_kernel(const float* x, int64_t x_stride, T* y, int64_t y_stride, int64_t rows,
                                          int64_t cols) {
  __shared__ float tile[wide][wide + 1];
  const int64_t across = (cols + wide - 1) / wide;
  const int64_t top = blockIdx.x / across * wide, left = blockIdx.x % across * wide;
  for (int i = threadIdx.y; i < wide; i += tall) {
    const int64_t r = top + i, c = left + threadIdx.x;
    if (r < rows && c < cols) tile[i][threadIdx.x] = x[r * x_stride + c];
  }
  __syncthreads();
  for (int i = threadIdx.y; i < wide; i += tall) {
    const int64_t r = top + threadIdx.x, c = left + i;
    if (r < rows && c < cols) y[c * y_stride + r] = T(tile[threadIdx.x][i]);
  }
}

template <class T>
void convert_transposed(Cuda cuda, const float* x, int64_t x_stride, T* y, int64_t y_stride, int64_t rows,
                        int64_t cols) {
  const int64_t tiles = (rows + wide - 1) / wide * ((cols + wide - 1) / wide);
  launch(convert_transposed_kernel<T>, dim3(unsigned(tiles)), walkers(), 0, cuda.stream(), x, x_stride, y, y_stride,
         rows, cols);
}

/// Products are queued one at a time: they share cublasLt's workspace, and these copies of operands.
struct Operands {
  std::mutex mutex;
  WorkingMemory memory[3];

  static Operands& one() {
    static Operands* const operands = new Operands;
    return *operands;
  }
  enum Which { left, right, bias };
  /// At least n numbers; null when the device has no room.
  template <class T>
  T* take(Which which, int64_t n) {
    return static_cast<T*>(memory[which].take(n * int64_t(sizeof(T))));
  }
};

/// Rows in 16 bits are kept at multiples of 16 bytes, which is what tensor cores can read.
int64_t padded(int64_t cols) { return (cols + 7) / 8 * 8; }

/// A copy in T of a matrix of rows × cols as op() sees it, stored the same way.
template <class T>
Matrix<T> converted(Cuda cuda, Matrix<float> x, int64_t rows, int64_t cols, Operands::Which which) {
  const int64_t lines = x.transposed ? cols : rows, length = x.transposed ? rows : cols, stride = padded(length);
  T* const copy = Operands::one().take<T>(which, lines * stride);
  if (copy != nullptr) convert(cuda, x.data, x.stride, copy, stride, lines, length);
  return {copy, stride, x.transposed};
}

/// A bias in the numbers of C, which is what cublasLt wants.
template <class C>
const C* bias_in(Cuda cuda, const Finish<Accumulator<C>>& finish, int64_t n) {
  if constexpr (std::is_same_v<C, Accumulator<C>>) {
    (void)cuda, (void)n;
    return finish.bias;
  } else {
    if (finish.bias == nullptr || finish.rounded != nullptr) return static_cast<const C*>(finish.rounded);
    C* const copy = Operands::one().take<C>(Operands::bias, n);
    if (copy != nullptr) convert(cuda, finish.bias, n, copy, padded(n), 1, n);
    return copy;
  }
}

/// The bias by the library where it can. The activation is a pass of our own: the library's relu takes NaN for 0.
template <class T, class C>
void multiply(Cuda cuda, const Product<T, C>& p, Finish<Accumulator<T>> finish = {}) {
  if (p.batch == 0 || p.m == 0 || p.n == 0) return;
  const C* const bias = p.k > 0 ? bias_in<C>(cuda, finish, p.n) : nullptr;
  if (bias != nullptr && multiply_by_library(cuda, p, bias)) {
    finish.bias = nullptr;
  } else if (p.k == 0 || !multiply_by_library<T, C>(cuda, p, nullptr)) {
    multiply_in_tiles(cuda, p);
  }
  finish_rows<C>(cuda, p.c, p.c_stride, p.m, p.n, finish);
}

template <class T, class C>
Product<T, C> product(int64_t m, int64_t n, int64_t k, Accumulator<T> alpha, Matrix<T> a, Matrix<T> b,
                      Accumulator<T> beta, C* c, int64_t stride) {
  return {1, m, n, k, alpha, a, 0, b, 0, beta, c, stride, 0};
}

/// f32 operands in 16 bits, f32 sums.
template <class T>
void multiply_narrow(Cuda cuda, int64_t m, int64_t n, int64_t k, float alpha, Matrix<float> a, Matrix<T> b, float beta,
                     float* c, int64_t stride, const Finish<float>& finish) {
  const Matrix<T> left = converted<T>(cuda, a, m, k, Operands::left);
  if (left.data != nullptr && b.data != nullptr) {
    multiply(cuda, product<T, float>(m, n, k, alpha, left, b, beta, c, stride), finish);
  }
}

}  // namespace

template <class T, class C>
void gemm(Cuda cuda, int64_t m, int64_t n, int64_t k, Accumulator<T> alpha, Matrix<T> a, Matrix<T> b,
          Accumulator<T> beta, C* c, int64_t stride, Finish<Accumulator<T>> finish, Precision precision) {
  const std::lock_guard lock(Operands::one().mutex);
  if constexpr (std::is_same_v<T, float>) {
    const auto narrow = [&](auto type) {
      using N = decltype(type);
      multiply_narrow(cuda, m, n, k, alpha, a, converted<N>(cuda, b, k, n, Operands::right), beta, c, stride, finish);
    };
    const bool any = m > 0 && n > 0 && k > 0;
    if (any && precision == Precision::f16) return narrow(f16());
    if (any && precision == Precision::bf16) return narrow(bf16());
  }
  multiply(cuda, product<T, C>(m, n, k, alpha, a, b, beta, c, stride), finish);
}

template <class T, class C>
void gemm_batched(Cuda cuda, int64_t batch, int64_t m, int64_t n, int64_t k, Accumulator<T> alpha, Matrix<T> a,
                  int64_t a_step, Matrix<T> b, int64_t b_step, Accumulator<T> beta, C* c, int64_t c_stride,
                  int64_t c_step) {
  const std::lock_guard lock(Operands::one().mutex);
  multiply(cuda, Product<T, C>{batch, m, n, k, alpha, a, a_step, b, b_step, beta, c, c_stride, c_step});
}

int64_t gemm_packed_bytes(Cuda, int64_t n, int64_t k, Precision precision) {
  const bool narrow = precision == Precision::f16 || precision == Precision::bf16;
  return n * padded(k) * (narrow ? 2 : 4);
}

void gemm_pack(Cuda cuda, int64_t n, int64_t k, Matrix<float> b, Precision precision, void* packed) {
  const auto pack = [&](auto* out) {
    if (n == 0 || k == 0) return;
    if (b.transposed) {
      convert(cuda, b.data, b.stride, out, padded(k), n, k);
    } else {
      convert_transposed(cuda, b.data, b.stride, out, padded(k), k, n);
    }
  };
  if (precision == Precision::f16) return pack(static_cast<f16*>(packed));
  if (precision == Precision::bf16) return pack(static_cast<bf16*>(packed));
  pack(static_cast<float*>(packed));
}

template <class T, class C>
void gemm_packed(Cuda cuda, int64_t m, int64_t n, int64_t k, Accumulator<T> alpha, Matrix<T> a, const void* packed,
                 Accumulator<T> beta, C* c, int64_t stride, Finish<Accumulator<T>> finish, Precision precision) {
  const std::lock_guard lock(Operands::one().mutex);
  if constexpr (std::is_same_v<T, float>) {
    const auto narrow = [&](const auto* b) {
      multiply_narrow(cuda, m, n, k, alpha, a, Matrix{b, padded(k), true}, beta, c, stride, finish);
    };
    const bool any = m > 0 && n > 0 && k > 0;
    if (any && precision == Precision::f16) return narrow(static_cast<const f16*>(packed));
    if (any && precision == Precision::bf16) return narrow(static_cast<const bf16*>(packed));
  }
  const Matrix<T> b{static_cast<const T*>(packed), padded(k), true};
  multiply(cuda, product<T, C>(m, n, k, alpha, a, b, beta, c, stride), finish);
}

template <class T, class C>
void gemm_plain(Cuda cuda, int64_t m, int64_t n, int64_t k, Accumulator<T> alpha, Matrix<T> a, Matrix<T> b,
                Accumulator<T> beta, C* c, int64_t stride, Finish<Accumulator<T>> finish) {
  if (m == 0 || n == 0) return;
  multiply_in_tiles(cuda, product<T, C>(m, n, k, alpha, a, b, beta, c, stride));
  finish_rows<C>(cuda, c, stride, m, n, finish);
}

#define ACE_INSTANTIATE(T, C)                                                                                         \
  template void gemm(Cuda, int64_t, int64_t, int64_t, Accumulator<T>, Matrix<T>, Matrix<T>, Accumulator<T>, C*,       \
                     int64_t, Finish<Accumulator<T>>, Precision);                                                     \
  template void gemm_batched(Cuda, int64_t, int64_t, int64_t, int64_t, Accumulator<T>, Matrix<T>, int64_t, Matrix<T>, \
                             int64_t, Accumulator<T>, C*, int64_t, int64_t);                                          \
  template void gemm_packed(Cuda, int64_t, int64_t, int64_t, Accumulator<T>, Matrix<T>, const void*, Accumulator<T>,  \
                            C*, int64_t, Finish<Accumulator<T>>, Precision);                                          \
  template void gemm_plain(Cuda, int64_t, int64_t, int64_t, Accumulator<T>, Matrix<T>, Matrix<T>, Accumulator<T>, C*, \
                           int64_t, Finish<Accumulator<T>>);
ACE_INSTANTIATE(float, float)
ACE_INSTANTIATE(double, double)
ACE_INSTANTIATE(f16, f16)
ACE_INSTANTIATE(f16, float)
ACE_INSTANTIATE(bf16, bf16)
ACE_INSTANTIATE(bf16, float)

}  // namespace kernels
