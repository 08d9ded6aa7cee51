#pragma once
#include <cuda_runtime.h>

#include <utility>

#include "kernels/backend.h"
#include "kernels/math.h"
#include "kernels/number.h"

/// What `.cu` files are written with: how a kernel is started, who its threads are, and the teams that walk the row
/// formulas on a GPU. Nothing else includes this. The text is CUDA C++ as NVIDIA's compilers read it; compiled with
/// ACE_SIMT it is plain C++ for the runner in tests/simt.
namespace kernels {

/// Notes an error for Cuda::error(), with what was being done; the first one stays.
void note(cudaError_t error, const char* what);

/// Lets a kernel have all the shared memory that the device can give a block beside the kernel's own arrays: always so
/// much, since a recorded graph may need more than the launch at hand.
void allow_shared_memory(const void* kernel);

/// Starts a kernel on a stream: grid blocks of `block` threads, with `shared_bytes` of shared memory beyond its own
/// arrays. More than 48 KiB, both together, have to be allowed. An empty grid starts nothing.
template <class... P, class... A>
void launch(void (*kernel)(P...), dim3 grid, dim3 block, size_t shared_bytes, cudaStream_t stream, A... args) {
  if (grid.x == 0 || grid.y == 0 || grid.z == 0) return;
  const void* const function = reinterpret_cast<const void*>(kernel);
  if (shared_bytes > 32 * 1024) allow_shared_memory(function);
#ifdef ACE_SIMT
  const char* const name = __PRETTY_FUNCTION__;
  note(simt::queue(stream,
                   [=] {
                     simt::launch(
                         function, name, [=] { kernel(P(args)...); }, grid, block, shared_bytes);
                   }),
       "launch");
#else
  [&](P... values) {
    void* pointers[] = {static_cast<void*>(&values)...};
    note(cudaLaunchKernel(function, grid, block, pointers, shared_bytes, stream), "launch");
  }(P(args)...);
#endif
  note(cudaPeekAtLastError(), "launch");
}

/// The shared memory that launch() was asked for.
template <class T>
__device__ T* shared_memory() {
#ifdef ACE_SIMT
  return static_cast<T*>(simt::shared_memory());
#else
  extern __shared__ __align__(32) unsigned char memory[];
  return reinterpret_cast<T*>(memory);
#endif
}

/// f(0), f(1), … f(n − 1), unrolled whatever the compiler thinks of it: arrays in registers need constant indices.
template <int n, class F>
__device__ __forceinline__ void unrolled(F f) {
  [&]<int... k>(std::integer_sequence<int, k...>) { (f(k), ...); }
  (std::make_integer_sequence<int, n>());
}

inline constexpr int warp_lanes = 32;
inline constexpr unsigned whole_warp = 0xffffffffu;

/// Σ and max over a warp; every lane gets the result, the same bits. A NaN anywhere gives NaN.
template <class A>
__device__ A warp_sum(A value) {
  for (int step = warp_lanes / 2; step > 0; step /= 2) value += __shfl_xor_sync(whole_warp, value, step);
  return value;
}
template <class A>
__device__ A larger_or_nan(A a, A b) {
  return a > b || a != a ? a : b;
}
template <class A>
__device__ A warp_max(A value) {
  for (int step = warp_lanes / 2; step > 0; step /= 2) {
    value = larger_or_nan(value, __shfl_xor_sync(whole_warp, value, step));
  }
  return value;
}

/// What the teams of a row have in common: lane l takes elements l, l + lanes, …, and always the same ones, so what one
/// call wrote, the next may read. Sums are those of the lanes, put together.
template <class Team>
struct RowTeam {
  template <class F>
  __device__ void each(int64_t n, F f) const {
    for (int64_t i = Team::lane(); i < n; i += Team::lanes) f(i);
  }
  template <class F>
  __device__ auto sum(int64_t n, F f) const {
    decltype(f(int64_t(0))) total = 0;
    each(n, [&](int64_t i) { total += f(i); });
    return Team::all_sum(total);
  }
  template <class F>
  __device__ auto max(int64_t n, F f) const {
    auto best = -infinity<decltype(f(int64_t(0)))>;
    each(n, [&](int64_t i) { best = larger_or_nan(best, f(i)); });
    return Team::all_max(best);
  }
};

/// A team of one warp. Blocks have `warps` of them, a row each.
struct Warp : RowTeam<Warp> {
  static constexpr int warps = 4, threads = warps * warp_lanes, lanes = warp_lanes;
  static __device__ int lane() { return int(threadIdx.x % warp_lanes); }
  static __device__ int64_t first_row() { return int64_t(blockIdx.x) * warps + threadIdx.x / warp_lanes; }
  static __device__ int64_t row_step() { return int64_t(gridDim.x) * warps; }
  /// Σ and max over the lanes' values.
  template <class A>
  static __device__ A all_sum(A mine) {
    return warp_sum(mine);
  }
  template <class A>
  static __device__ A all_max(A mine) {
    return warp_max(mine);
  }
};

/// A team of one block, a row each, for long rows.
struct Block : RowTeam<Block> {
  static constexpr int threads = 256, lanes = threads;
  static __device__ int lane() { return int(threadIdx.x); }
  static __device__ int64_t first_row() { return blockIdx.x; }
  static __device__ int64_t row_step() { return gridDim.x; }
  template <class A>
  static __device__ A all_sum(A mine) {
    return across(warp_sum(mine), [](A a, A b) { return a + b; });
  }
  template <class A>
  static __device__ A all_max(A mine) {
    return across(warp_max(mine), [](A a, A b) { return larger_or_nan(a, b); });
  }

 private:
  /// What the warps found, put together in their order by every thread.
  template <class A, class Join>
  static __device__ A across(A value, Join join) {
    constexpr int warps = threads / warp_lanes;
    __shared__ A found[warps];
    __syncthreads();  // the last call's results have been read
    if (threadIdx.x % warp_lanes == 0) found[threadIdx.x / warp_lanes] = value;
    __syncthreads();
    A result = found[0];
    for (int w = 1; w < warps; ++w) result = join(result, found[w]);
    return result;
  }
};

/// All threads of the grid, for formulas of single elements. It has no sums.
struct Grid {
  static constexpr int threads = 256;
  template <class F>
  __device__ void each(int64_t n, F f) const {
    const int64_t step = int64_t(gridDim.x) * blockDim.x;
    for (int64_t i = int64_t(blockIdx.x) * blockDim.x + threadIdx.x; i < n; i += step) f(i);
  }
};

/// How many blocks a grid has at most, along each of its sides; loops with the grid's width cover what is above. In the
/// simulation so few that all such loops go round more than once.
#ifdef ACE_SIMT
inline constexpr int64_t most_blocks = 3;
#else
inline constexpr int64_t most_blocks = 65535;
#endif

/// Blocks for n units of which one takes `each`.
inline dim3 blocks_for(int64_t n, int64_t each) {
  const int64_t blocks = (n + each - 1) / each;
  return dim3(unsigned(blocks < most_blocks ? blocks : most_blocks));
}
/// Blocks for n elements walked by Grid.
inline dim3 element_blocks(int64_t n) { return blocks_for(n, Grid::threads); }

/// Calls f(Warp(), blocks) or f(Block(), blocks) for `rows` rows of `cols`: a warp where a lane has at most 32 elements
/// of a row, a block where more.
template <class F>
void with_team(int64_t rows, int64_t cols, const F& f) {
  if (cols <= warp_lanes * 32) {
    f(Warp(), blocks_for(rows, Warp::warps));
  } else {
    f(Block(), blocks_for(rows, 1));
  }
}

/// body(r) for the rows of this team.
template <class Team, class Body>
__device__ void each_row(Team, int64_t rows, Body body) {
  for (int64_t r = Team::first_row(); r < rows; r += Team::row_step()) body(r);
}

}  // namespace kernels
