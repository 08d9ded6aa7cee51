#include "tests/simt/planted.h"

#include <cuda_fp16.h>
#include <cuda_runtime.h>
#include <mma.h>

namespace planted {
namespace {

template <class Body>
void run(const char* name, int blocks, int threads, size_t shared_bytes, const Body& body) {
  simt::launch(nullptr, name, body, dim3(unsigned(blocks)), dim3(unsigned(threads)), shared_bytes);
}

__device__ void reverse(const float* x, float* y, float* row, Bug bug) {
  const int i = int(threadIdx.x), n = 64 * int(gridDim.x), first = 64 * int(blockIdx.x);
  row[i] = x[first + i + (bug == Bug::read_past_end && first + i == n - 1)];
  if (bug == Bug::static_past_end || bug == Bug::dynamic_past_end) row[i + 1] = 0;
  if (bug == Bug::divergent_barrier && i == 5) return;
  if (bug == Bug::two_barriers && i < 32) {
    __syncthreads();
  } else if (bug != Bug::no_barrier) {
    __syncthreads();
  }
  const bool on_the_first = bug == Bug::overlapping_blocks || (bug == Bug::overlapping_ends && first == n - 64);
  y[(on_the_first ? 0 : first) + i + (bug == Bug::write_past_end && first + i == n - 1)] = row[63 - i];
}

__global__ void reverse_kernel(const float* x, float* y, Bug bug) {
  __shared__ float row[64];
  reverse(x, y, row, bug);
}

__global__ void reverse_dynamic_kernel(const float* x, float* y, Bug bug) {
  reverse(x, y, static_cast<float*>(simt::shared_memory()), bug);
}

__global__ void sum_kernel(const float* x, float* y, Bug bug) {
  const int i = int(threadIdx.x);
  float sum = x[i];
  if (bug == Bug::ended_lane && i == 40) return;
  const unsigned mask = bug == Bug::two_masks && i >= 48 ? 0xffff0000u : 0xffffffffu;
  if (bug != Bug::missing_lane || i != 3) {
    for (int step = 16; step > 0; step /= 2) sum += __shfl_xor_sync(mask, sum, step);
  }
  __syncthreads();
  y[i] = sum;
}

__global__ void multiply_kernel(const __half* a, const __half* b, float* y, Bug bug) {
  using namespace nvcuda::wmma;
  fragment<matrix_a, 16, 16, 16, __half, row_major> left;
  fragment<matrix_b, 16, 16, 16, __half, col_major> right;
  fragment<accumulator, 16, 16, 16, float> sum;
  fill_fragment(sum, 0.0f);
  load_matrix_sync(left, a + (bug == Bug::misaligned_matrix ? 8 : 0), bug == Bug::wrong_leading_dimension ? 20 : 24);
  load_matrix_sync(right, b, 16);
  mma_sync(sum, left, right, sum);
  for (int i = 0; i < sum.num_elements; ++i) sum.x[i] *= 2.0f;
  store_matrix_sync(y, sum, 16, mem_row_major);
}

__global__ void copy_kernel(const float* x, float* y, Bug bug) {
  const int i = int(threadIdx.x);
  reinterpret_cast<float4*>(y)[i] = *reinterpret_cast<const float4*>(x + 4 * i + (bug == Bug::misaligned_vector));
}

}  // namespace

template <int n>
__global__ void reverse_template_kernel(const float* x, float* y, Bug bug) {
  __shared__ float row[n];
  const int i = int(threadIdx.x), first = n * int(blockIdx.x);
  row[i] = x[first + i];
  __syncthreads();
  y[first + i] = row[n - 1 - i + (bug == Bug::template_past_end && i == 0)];
}

void reverse_blocks(const float* x, float* y, int blocks, Bug bug) {
  run("reverse", blocks, 64, 0, [=] { reverse_kernel(x, y, bug); });
}
void reverse_blocks_dynamic(const float* x, float* y, int blocks, Bug bug) {
  run("reverse_dynamic", blocks, 64, 64 * sizeof(float), [=] { reverse_dynamic_kernel(x, y, bug); });
}
void reverse_blocks_template(const float* x, float* y, int blocks, Bug bug) {
  run("reverse_template", blocks, 64, 0, [=] { reverse_template_kernel<64>(x, y, bug); });
}
void sum_warps(const float* x, float* y, Bug bug) {
  run("sum", 1, 64, 0, [=] { sum_kernel(x, y, bug); });
}
void multiply(const uint16_t* a, const uint16_t* b, float* y, Bug bug) {
  run("multiply", 1, 32, 0,
      [=] { multiply_kernel(reinterpret_cast<const __half*>(a), reinterpret_cast<const __half*>(b), y, bug); });
}
void copy_vectors(const float* x, float* y, Bug bug) {
  run("copy", 1, 16, 0, [=] { copy_kernel(x, y, bug); });
}

}  // namespace planted
