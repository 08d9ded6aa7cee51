#pragma once
#include "kernels/backend.h"
#include "kernels/number.h"

namespace kernels {

/// A matrix operand: element (i, j) is data[i·stride + j], or data[j·stride + i] when transposed.
template <class T>
struct Matrix {
  const T* data;
  int64_t stride;
  bool transposed = false;
};

/// C [m, n] = alpha · A B + beta · C;  A is m × k, B is k × n, row i of C starts at c + i·c_stride. With beta = 0 what
/// C held before, NaN too, does not matter. k = 0 scales C. BLAS computes (the one library in a kernel), our threads
/// share the larger side of C.
template <class T>
void gemm(Cpu, int64_t m, int64_t n, int64_t k, T alpha, Matrix<T> a, Matrix<T> b, T beta, T* c, int64_t c_stride);

/// `batch` independent products; operand p starts at data + p·step (step 0: shared).
template <class T>
void gemm_batched(Cpu, int64_t batch, int64_t m, int64_t n, int64_t k, T alpha, Matrix<T> a, int64_t a_step,
                  Matrix<T> b, int64_t b_step, T beta, T* c, int64_t c_stride, int64_t c_step);

/// The plain triple loop: the oracle of the fast one.
template <class T>
void gemm_plain(int64_t m, int64_t n, int64_t k, T alpha, Matrix<T> a, Matrix<T> b, T beta, T* c, int64_t c_stride);

/// The name of the processor that BLAS has chosen its kernels for.
const char* gemm_core();

}  // namespace kernels
