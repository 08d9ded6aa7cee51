#pragma once
#include "kernels/backend.h"

/// Kernels of which each has one bug, and the same kernels right: what the runner is tested with. x and y are device
/// memory; each returns when its kernel has run, leaving the error for cudaGetLastError.
namespace planted {

enum class Bug {
  none,
  read_past_end,
  write_past_end,
  static_past_end,
  template_past_end,
  dynamic_past_end,
  no_barrier,
  divergent_barrier,
  two_barriers,
  missing_lane,
  two_masks,
  ended_lane,
  overlapping_blocks,
  overlapping_ends,
  misaligned_vector,
  misaligned_matrix,
  wrong_leading_dimension,
};

/// y_i = x_{n−1−i} within each block of 64 threads, through __shared__ memory; n = 64 blocks.
void reverse_blocks(const float* x, float* y, int blocks, Bug bug);
/// The same through dynamic shared memory.
void reverse_blocks_dynamic(const float* x, float* y, int blocks, Bug bug);
/// The same by a template, where the address sanitizer has no gap behind an array.
void reverse_blocks_template(const float* x, float* y, int blocks, Bug bug);
/// y_i = the sum of x over i's warp; one block of 64 threads.
void sum_warps(const float* x, float* y, Bug bug);
/// y [16, 16] = a [16, 16] b [16, 16] with halves, a of leading dimension 24 and beginning at a multiple of 32 bytes.
void multiply(const uint16_t* a, const uint16_t* b, float* y, Bug bug);
/// y = x for 64 numbers, 4 at a time.
void copy_vectors(const float* x, float* y, Bug bug);

}  // namespace planted
