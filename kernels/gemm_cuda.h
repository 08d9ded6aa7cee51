#pragma once
#include "kernels/gemm.h"

/// What the ways to compute a product on a GPU share. Only `.cu` files include this.
namespace kernels {

/// C = alpha · A B + beta · C, `batch` times; operand p starts at data + p·step.
template <class T, class C>
struct Product {
  int64_t batch, m, n, k;
  Accumulator<T> alpha;
  Matrix<T> a;
  int64_t a_step;
  Matrix<T> b;
  int64_t b_step;
  Accumulator<T> beta;
  C* c;
  int64_t c_stride, c_step;
};

/// gemm_tiles.cu: by a kernel of our own, any shape, k = 0 too.
template <class T, class C>
void multiply_in_tiles(Cuda, const Product<T, C>&);

/// gemm_lt.cu: by cublasLt, k ≥ 1, plus a bias [n] or null; false when it has no algorithm for this, and nothing was
/// queued. One call at a time: the caller holds a lock.
template <class T, class C>
bool multiply_by_library(Cuda, const Product<T, C>&, const C* bias);

}  // namespace kernels
