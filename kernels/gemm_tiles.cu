#include "kernels/gemm_cuda.h"
#include "kernels/launch.h"

namespace kernels {
namespace {

// A block computes a tile of 64 × 64 of C, 16 deep at a time: 256 threads with 16 sums each, so every number that is
// read from shared memory serves four products. Bound by arithmetic without tensor cores.
constexpr int tile = 64, depth = 16, threads = 256, side = 16, each = tile / side;
constexpr int padded = tile + 1;  // neighbours along k lie in different banks

/// slab[p][i] = element (first + i, start + p) of a matrix whose lines (i) and depth (p) are as op() sees them, 0
/// beyond them. Neighbouring threads read neighbouring addresses, whichever way the matrix is stored.
template <class T, class A>
__device__ void load_slab(const T* data, int64_t stride, bool lines_first, int64_t first, int64_t lines, int64_t start,
                          int64_t k, A (*slab)[padded]) {
  for (int u = threadIdx.x; u < tile * depth; u += threads) {
    const int i = lines_first ? u % tile : u / depth, p = lines_first ? u / tile : u % depth;
    const int64_t line = first + i, at = start + p;
    const int64_t address = lines_first ? at * stride + line : line * stride + at;
    slab[p][i] = line < lines && at < k ? A(data[address]) : A(0);
  }
}

template <class T, class C>
__global__ void __launch_bounds__(threads, 2) tiles_kernel(Product<T, C> product) {
  using A = Accumulator<T>;
  __shared__ A left[depth][padded], right[depth][padded];
  const int64_t down = (product.m + tile - 1) / tile, across = (product.n + tile - 1) / tile;
  const int row = threadIdx.x / side, col = threadIdx.x % side;
  for (int64_t unit = blockIdx.x; unit < product.batch * down * across; unit += gridDim.x) {
    const int64_t p = unit / (down * across), top = unit / across % down * tile, first = unit % across * tile;
    A sum[each][each] = {};
    for (int64_t start = 0; start < product.k; start += depth) {
      load_slab(product.a.data + p * product.a_step, product.a.stride, product.a.transposed, top, product.m, start,
                product.k, left);
      load_slab(product.b.data + p * product.b_step, product.b.stride, !product.b.transposed, first, product.n, start,
                product.k, right);
      __syncthreads();
      for (int q = 0; q < depth; ++q) {
        A x[each], y[each];
        for (int i = 0; i < each; ++i) x[i] = left[q][row + side * i];
        for (int j = 0; j < each; ++j) y[j] = right[q][col + side * j];
        for (int i = 0; i < each; ++i) {
          for (int j = 0; j < each; ++j) sum[i][j] += x[i] * y[j];
        }
      }
      __syncthreads();  // before the slabs are written again
    }
#pragma unroll
    for (int i = 0; i < each; ++i) {
#pragma unroll
      for (int j = 0; j < each; ++j) {
        const int64_t r = top + row + side * i, c = first + col + side * j;
        if (r < product.m && c < product.n) {
          C* const out = product.c + p * product.c_step + r * product.c_stride + c;
          *out = C(product.alpha * sum[i][j] + (product.beta == A(0) ? A(0) : product.beta * A(*out)));
        }
      }
    }
  }
}

}  // namespace

template <class T, class C>
void multiply_in_tiles(Cuda cuda, const Product<T, C>& product) {
  const int64_t units = product.batch * ((product.m + tile - 1) / tile) * ((product.n + tile - 1) / tile);
  launch(tiles_kernel<T, C>, blocks_for(units, 1), threads, 0, cuda.stream(), product);
}

template void multiply_in_tiles(Cuda, const Product<float, float>&);
template void multiply_in_tiles(Cuda, const Product<double, double>&);
template void multiply_in_tiles(Cuda, const Product<f16, f16>&);
template void multiply_in_tiles(Cuda, const Product<f16, float>&);
template void multiply_in_tiles(Cuda, const Product<bf16, bf16>&);
template void multiply_in_tiles(Cuda, const Product<bf16, float>&);

}  // namespace kernels
