#pragma once
#include <algorithm>
#include <type_traits>

#include "kernels/pack.h"

/// Element kernels of a GPU. What bounds them is the bytes that they move, so a thread moves a pack at a time where all
/// arrays are aligned for it, one number elsewhere.
namespace kernels {

/// put_pack of what a function makes of some numbers: y_j = (or +=) f(x_j …).
template <int N, class F, class T, class... X>
__device__ void put_map(const F& f, Grad<T> y, Values<X, N>... x) {
  put_pack<N>(y, [&](int j) { return f(x.at[j]...); });
}

/// Blocks and threads for `rows` rows of `length` elements in packs of N; each_pack walks them.
template <int N>
struct PackGrid {
  dim3 blocks, threads;
  PackGrid(int64_t rows, int64_t length) {
    constexpr int64_t all = Grid::threads;
    const int64_t units = length / N + length % N;
    int64_t across = warp_lanes;  // threads of a block along a row
    while (across < all && across < units) across *= 2;
    const int64_t down = all / across;
    threads = dim3(unsigned(across), unsigned(down));
    blocks = dim3(unsigned(std::min((units + across - 1) / across, most_blocks)),
                  unsigned(std::min((rows + down - 1) / down, most_blocks)));
  }
};

/// body(row, first, width) for all packs of `rows` rows, by all threads of a PackGrid. `width` is a constant: N, or 1
/// for what is left of a row's end.
template <int N, class Body>
__device__ void each_pack(int64_t rows, int64_t length, const Body& body) {
  const int64_t packs = length / N, units = packs + length % N;
  for (int64_t r = int64_t(blockIdx.y) * blockDim.y + threadIdx.y; r < rows; r += int64_t(gridDim.y) * blockDim.y) {
    for (int64_t u = int64_t(blockIdx.x) * blockDim.x + threadIdx.x; u < units; u += int64_t(gridDim.x) * blockDim.x) {
      if (u < packs) {
        body(r, u * N, std::integral_constant<int, N>());
      } else {
        body(r, packs * N + u - packs, std::integral_constant<int, 1>());
      }
    }
  }
}

/// Calls f with the size of the packs as a constant: `N` where `fit`, else 1.
template <int N, class F>
void with_packs(bool fit, const F& f) {
  if (fit) {
    f(std::integral_constant<int, N>());
  } else {
    f(std::integral_constant<int, 1>());
  }
}

template <int N, class F, class T, class... X>
__global__ void map_kernel(F f, Grad<T> y, int64_t n, const X*... x) {
  each_pack<N>(1, n, [&](int64_t, int64_t i, auto width) {
    put_map<width.value>(f, y.at(i), Values<X, width.value>(x + i)...);
  });
}

/// y_i = (or +=) f(x_i …) for n elements; f is a struct, called with accumulators. y may be an x.
template <class F, class T, class... X>
void map(Cuda cuda, const F& f, Grad<T> y, int64_t n, const X*... x) {
  constexpr int most = pack_size<T, X...>;
  with_packs<most>(packs_fit<most>(y.data, x...), [&](auto size) {
    const PackGrid<size.value> grid(1, n);
    launch(map_kernel<size.value, F, T, X...>, grid.blocks, grid.threads, 0, cuda.stream(), f, y, n, x...);
  });
}

}  // namespace kernels
