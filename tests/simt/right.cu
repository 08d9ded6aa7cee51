#include "tests/simt/right.h"

#include <cuda_runtime.h>

namespace right {
namespace {

constexpr unsigned whole = 0xffffffffu;

template <class... P, class... A>
void run(void (*kernel)(P...), unsigned blocks, unsigned threads, uint64_t shared_bytes, A... values) {
  simt::launch(
      reinterpret_cast<const void*>(kernel), "right", [=] { kernel(P(values)...); }, dim3(blocks), dim3(threads),
      shared_bytes);
}

__device__ int block_sum(int value) {
  __shared__ int found[3];
  for (int step = 16; step > 0; step /= 2) value += __shfl_down_sync(whole, value, unsigned(step));
  if (threadIdx.x % 32 == 0) found[threadIdx.x / 32] = value;
  __syncthreads();
  return found[0] + found[1] + found[2];
}

__global__ void sums_kernel(const int* x, int* sums) {
  const int sum = block_sum(x[blockIdx.x * blockDim.x + threadIdx.x]);
  if (threadIdx.x == 0) sums[blockIdx.x] = sum;
}

__global__ void last_kernel(const int* x, int* partial, unsigned* count, int* sum) {
  const int mine = block_sum(x[blockIdx.x * blockDim.x + threadIdx.x]);
  bool last = false;
  if (threadIdx.x == 0) {
    partial[blockIdx.x] = mine;
    __threadfence();
    last = atomicAdd(count, 1) == gridDim.x - 1;
  }
  if (__syncthreads_or(last) != 0 && last) {
    int total = 0;
    for (unsigned b = 0; b < gridDim.x; ++b) total += partial[b];
    *sum = total;
  }
}

__global__ void votes_kernel(unsigned* out) {
  const unsigned t = threadIdx.x, lane = t % 32;
  unsigned seen = __ballot_sync(whole, t % 2 == 1);
  if (lane < 16) {  // halves that go ways of their own, and there again
    if (lane < 8) {
      seen ^= __ballot_sync(0x000000ffu, lane == 3);
    } else {
      seen ^= __ballot_sync(0x0000ff00u, lane > 12);
    }
    __syncwarp(0x0000ffffu);
    seen += unsigned(__any_sync(0x0000ffffu, lane == 15));
  } else {
    seen += unsigned(__all_sync(0xffff0000u, lane > 15));
  }
  out[t] = seen;
}

__global__ void shuffles_kernel(double* out) {
  const unsigned t = threadIdx.x;
  out[t] = __shfl_sync(whole, double(t), 3, 8);
  out[32 + t] = __shfl_up_sync(whole, float(t), 2, 8);
  out[64 + t] = __shfl_down_sync(whole, int(t), 2, 8);
  out[96 + t] = __shfl_xor_sync(whole, t, 5);
  out[128 + t] = double(__shfl_sync(whole, int64_t(t) << 40, int(t) + 1) >> 40);
  out[160 + t] = double(__shfl_xor_sync(whole, uint64_t(t) << 40, 8, 8) >> 40);
  out[192 + t] = double(__popc(t)) + __ffs(int(t)) + __clz(int(t));
}

__global__ void counts_kernel(const int* x, int n, int* out, unsigned long long* wide) {
  const int i = int(threadIdx.x);
  if (i / 32 * 32 >= n) return;  // whole warps, and no barrier follows
  if (i < n) {
    atomicAdd(out + x[i] % 8, 1);
    atomicMin(out + 8, x[i]);
    atomicMax(out + 9, x[i]);
    atomicOr(wide, 1ull << x[i] % 64);
    atomicMax(wide + 1, static_cast<unsigned long long>(x[i]) << 33);
  }
}

__global__ void arrivals_kernel(unsigned* next, int* order) {
  order[atomicAdd(next, 1)] = int(blockIdx.x * blockDim.x + threadIdx.x);
}

__global__ void nothing_kernel() {}

}  // namespace

void block_sums(const int* x, int* sums, int blocks) { run(sums_kernel, unsigned(blocks), 96, 0, x, sums); }
void last_block_sum(const int* x, int* partial, unsigned* count, int* sum, int blocks) {
  run(last_kernel, unsigned(blocks), 96, 0, x, partial, count, sum);
}
void votes(unsigned* out) { run(votes_kernel, 1, 64, 0, out); }
void shuffles(double* out) { run(shuffles_kernel, 1, 32, 0, out); }
void counts(const int* x, int n, int* out, unsigned long long* wide) { run(counts_kernel, 1, 128, 0, x, n, out, wide); }
void arrivals(unsigned* next, int* order) { run(arrivals_kernel, 2, 4, 0, next, order); }
void nothing(unsigned grid, unsigned block, uint64_t shared_bytes, bool allow) {
  if (allow) cudaFuncSetAttribute(nothing_kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, int(shared_bytes));
  run(nothing_kernel, grid, block, shared_bytes);
}

}  // namespace right
