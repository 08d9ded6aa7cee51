#include "kernels/gemm.h"

#include <cblas.h>
#include <dlfcn.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <vector>

// OpenBLAS without threads of its own takes no lock where it hands out packing buffers, so two of our threads that
// start a product at the same moment could be given the same one (seen: one product in a hundred wrong). These two
// stand before its own in the loader's order, and pass on under a lock that is held for the hand-out alone. Where a
// build of OpenBLAS does not call through the loader, whole products take the lock: slow, but right.
namespace {
std::mutex buffers;
std::atomic<bool> stands_before = false;
template <class Function>
Function original(const char* name) {
  return reinterpret_cast<Function>(dlsym(RTLD_NEXT, name));
}
}  // namespace
extern "C" {
void* blas_memory_alloc(int purpose) {
  static const auto next = original<void* (*)(int)>("blas_memory_alloc");
  const std::lock_guard lock(buffers);
  stands_before = true;
  return next(purpose);
}
void blas_memory_free(void* buffer) {
  static const auto next = original<void (*)(void*)>("blas_memory_free");
  const std::lock_guard lock(buffers);
  next(buffer);
}
char* openblas_get_corename();  // exported, but in no header
}

namespace kernels {
namespace {

/// Holds a lock while it lives, where buffers could not be guarded: found out by a first product that needs one.
class Guard {
 public:
  Guard() {
    static const bool guarded = [] {
      constexpr int n = 128;
      const std::vector<float> a(n * n);
      std::vector<float> c(n * n);
      cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, n, n, n, 1, a.data(), n, a.data(), n, 0, c.data(), n);
      return stands_before.load();
    }();
    if (!guarded) lock_ = std::unique_lock(products_);
  }

 private:
  static inline std::mutex products_;
  std::unique_lock<std::mutex> lock_;
};

CBLAS_TRANSPOSE flag(bool transposed) { return transposed ? CblasTrans : CblasNoTrans; }

void blas(int64_t m, int64_t n, int64_t k, float alpha, Matrix<float> a, Matrix<float> b, float beta, float* c,
          int64_t stride) {
  const Guard guard;
  cblas_sgemm(CblasRowMajor, flag(a.transposed), flag(b.transposed), int(m), int(n), int(k), alpha, a.data,
              int(a.stride), b.data, int(b.stride), beta, c, int(stride));
}
void blas(int64_t m, int64_t n, int64_t k, double alpha, Matrix<double> a, Matrix<double> b, double beta, double* c,
          int64_t stride) {
  const Guard guard;
  cblas_dgemm(CblasRowMajor, flag(a.transposed), flag(b.transposed), int(m), int(n), int(k), alpha, a.data,
              int(a.stride), b.data, int(b.stride), beta, c, int(stride));
}

/// Rows begin … of op(A), or columns begin … of op(B).
template <class T>
Matrix<T> from_row(Matrix<T> a, int64_t begin) {
  return {a.data + (a.transposed ? begin : begin * a.stride), a.stride, a.transposed};
}
template <class T>
Matrix<T> from_column(Matrix<T> b, int64_t begin) {
  return {b.data + (b.transposed ? begin * b.stride : begin), b.stride, b.transposed};
}

}  // namespace

template <class T>
void gemm(Cpu cpu, int64_t m, int64_t n, int64_t k, T alpha, Matrix<T> a, Matrix<T> b, T beta, T* c, int64_t stride) {
  if (m == 0 || n == 0) return;
  if (k == 0) return gemm_plain(m, n, k, alpha, a, b, beta, c, stride);
  constexpr int64_t grain = 16;  // a thread's share starts at a multiple of the register tile's height
  if (m >= n) {
    cpu.parallel((m + grain - 1) / grain, 2 * grain * n * k, [&](int64_t begin, int64_t end) {
      const int64_t first = begin * grain, last = std::min(end * grain, m);
      blas(last - first, n, k, alpha, from_row(a, first), b, beta, c + first * stride, stride);
    });
  } else {
    cpu.parallel((n + grain - 1) / grain, 2 * grain * m * k, [&](int64_t begin, int64_t end) {
      const int64_t first = begin * grain, last = std::min(end * grain, n);
      blas(m, last - first, k, alpha, a, from_column(b, first), beta, c + first, stride);
    });
  }
}

template <class T>
void gemm_batched(Cpu cpu, int64_t batch, int64_t m, int64_t n, int64_t k, T alpha, Matrix<T> a, int64_t a_step,
                  Matrix<T> b, int64_t b_step, T beta, T* c, int64_t c_stride, int64_t c_step) {
  if (batch == 1) return gemm(cpu, m, n, k, alpha, a, b, beta, c, c_stride);
  cpu.parallel(batch, 2 * m * n * std::max<int64_t>(k, 1), [&](int64_t begin, int64_t end) {
    for (int64_t p = begin; p < end; ++p) {
      const Matrix<T> left{a.data + p * a_step, a.stride, a.transposed};
      const Matrix<T> right{b.data + p * b_step, b.stride, b.transposed};
      if (m > 0 && n > 0 && k > 0) {
        blas(m, n, k, alpha, left, right, beta, c + p * c_step, c_stride);
      } else {
        gemm_plain(m, n, k, alpha, left, right, beta, c + p * c_step, c_stride);
      }
    }
  });
}

template <class T>
void gemm_plain(int64_t m, int64_t n, int64_t k, T alpha, Matrix<T> a, Matrix<T> b, T beta, T* c, int64_t stride) {
  for (int64_t i = 0; i < m; ++i) {
    for (int64_t j = 0; j < n; ++j) {
      T sum = 0;
      for (int64_t p = 0; p < k; ++p) {
        const T left = a.transposed ? a.data[p * a.stride + i] : a.data[i * a.stride + p];
        const T right = b.transposed ? b.data[j * b.stride + p] : b.data[p * b.stride + j];
        sum += left * right;
      }
      c[i * stride + j] = alpha * sum + (beta == T(0) ? T(0) : beta * c[i * stride + j]);
    }
  }
}

const char* gemm_core() { return openblas_get_corename(); }

#define ACE_INSTANTIATE(T)                                                                                          \
  template void gemm(Cpu, int64_t, int64_t, int64_t, T, Matrix<T>, Matrix<T>, T, T*, int64_t);                      \
  template void gemm_batched(Cpu, int64_t, int64_t, int64_t, int64_t, T, Matrix<T>, int64_t, Matrix<T>, int64_t, T, \
                             T*, int64_t, int64_t);                                                                 \
  template void gemm_plain(int64_t, int64_t, int64_t, T, Matrix<T>, Matrix<T>, T, T*, int64_t);
ACE_INSTANTIATE(float)
ACE_INSTANTIATE(double)

}  // namespace kernels
