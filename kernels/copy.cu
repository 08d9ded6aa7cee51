#include "kernels/copy.h"

#include "kernels/packs.h"

namespace kernels {
namespace {

struct Same {
  template <class A>
  __device__ A operator()(A x) const {
    return x;
  }
};

template <int N, class T>
__global__ void block_kernel(const T* x, int64_t x_stride, Grad<T> y, int64_t y_stride, int64_t rows, int64_t cols) {
  each_pack<N>(rows, cols, [=](int64_t r, int64_t c, auto width) {
    put_map<width.value>(Same(), y.at(r * y_stride + c), Values<T, width.value>(x + r * x_stride + c));
  });
}

constexpr int tile = 32, tile_rows = 8;

/// A block takes tile × tile numbers through shared memory, so that both matrices are accessed along their rows; the
/// column more keeps the tile's columns in different banks.
template <class T>
__global__ void transpose_kernel(const T* x, Grad<T> y, int64_t tiles, int64_t m, int64_t n) {
  __shared__ Accumulator<T> held[tile][tile + 1];
  const int64_t across = (n + tile - 1) / tile, down = (m + tile - 1) / tile;
  for (int64_t unit = blockIdx.x; unit < tiles; unit += gridDim.x) {
    const int64_t left = unit % across * tile, top = unit / across % down * tile,
                  matrix = unit / (across * down) * m * n;
    const int64_t j = left + threadIdx.x, i = top + threadIdx.x;  // the columns of x and of y
    T part[tile / tile_rows];
    unrolled<tile / tile_rows>([&](int p) {
      const int64_t row = top + p * tile_rows + threadIdx.y;
      part[p] = row < m && j < n ? x[matrix + row * n + j] : T(0.0f);
    });
    unrolled<tile / tile_rows>(
        [&](int p) { held[p * tile_rows + threadIdx.y][threadIdx.x] = Accumulator<T>(part[p]); });
    __syncthreads();
    unrolled<tile / tile_rows>([&](int p) {
      const int k = p * tile_rows + int(threadIdx.y);
      if (left + k < n && i < m) y.put(matrix + (left + k) * m + i, held[threadIdx.x][k]);
    });
    __syncthreads();  // the tile has been read
  }
}

/// Row r of y is row r / count of x; where `one`, a row of x is a single number.
template <int N, class T>
__global__ void repeat_kernel(const T* x, Grad<T> y, int64_t rows, int64_t count, int64_t length, bool one,
                              Accumulator<T> scale) {
  each_pack<N>(rows, length, [=](int64_t r, int64_t c, auto width) {
    Values<T, width.value> from;
    from.read(one ? x + r : x + r / count * length + c, one);
    put_pack<width.value>(y.at(r * length + c), [&](int j) { return scale * from.at[j]; });
  });
}

}  // namespace

template <class T>
void copy(Cuda cuda, const T* x, Grad<T> y, int64_t n) {
  map(cuda, Same(), y, n, x);
}

template <class From, class To>
void convert(Cuda cuda, const From* x, To* y, int64_t n) {
  map(cuda, Same(), Grad<To>{y}, n, x);
}

template <class T>
void copy_block(Cuda cuda, const T* x, int64_t x_stride, Grad<T> y, int64_t y_stride, int64_t rows, int64_t cols) {
  if (x_stride == cols && y_stride == cols) return copy(cuda, x, y, rows * cols);
  constexpr int most = pack_size<T>;
  const bool rows_fit = x_stride % most == 0 && y_stride % most == 0;
  with_packs<most>(rows_fit && packs_fit<most>(x, y.data), [&](auto size) {
    const PackGrid<size.value> grid(rows, cols);
    launch(block_kernel<size.value, T>, grid.blocks, grid.threads, 0, cuda.stream(), x, x_stride, y, y_stride, rows,
           cols);
  });
}

template <class T>
void transpose(Cuda cuda, const T* x, Grad<T> y, int64_t batch, int64_t m, int64_t n) {
  const int64_t tiles = batch * ((n + tile - 1) / tile) * ((m + tile - 1) / tile);
  launch(transpose_kernel<T>, blocks_for(tiles, 1), dim3(tile, tile_rows), 0, cuda.stream(), x, y, tiles, m, n);
}

template <class T>
void repeat(Cuda cuda, const T* x, Grad<T> y, int64_t outer, int64_t count, int64_t inner, Accumulator<T> scale) {
  const bool one = inner == 1;
  const int64_t rows = one ? outer : outer * count, length = one ? count : inner;
  constexpr int most = pack_size<T>;
  const bool rows_fit = length % most == 0 || rows == 1;
  with_packs<most>(rows_fit && packs_fit<most>(y.data) && (one || packs_fit<most>(x)), [&](auto size) {
    const PackGrid<size.value> grid(rows, length);
    launch(repeat_kernel<size.value, T>, grid.blocks, grid.threads, 0, cuda.stream(), x, y, rows, count, length, one,
           scale);
  });
}

#define ACE_INSTANTIATE(T)                                                               \
  template void copy(Cuda, const T*, Grad<T>, int64_t);                                  \
  template void copy_block(Cuda, const T*, int64_t, Grad<T>, int64_t, int64_t, int64_t); \
  template void transpose(Cuda, const T*, Grad<T>, int64_t, int64_t, int64_t);           \
  template void repeat(Cuda, const T*, Grad<T>, int64_t, int64_t, int64_t, Accumulator<T>);
ACE_INSTANTIATE(float)
ACE_INSTANTIATE(double)
ACE_INSTANTIATE(f16)
ACE_INSTANTIATE(bf16)
template void convert(Cuda, const float*, f16*, int64_t);
template void convert(Cuda, const float*, bf16*, int64_t);
template void convert(Cuda, const f16*, float*, int64_t);
template void convert(Cuda, const bf16*, float*, int64_t);

}  // namespace kernels
