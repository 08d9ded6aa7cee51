#pragma once
#include <optional>

#include "kernels/activation.h"

namespace kernels {

/// A matrix operand: element (i, j) is data[i·stride + j], or data[j·stride + i] when transposed.
template <class T>
struct Matrix {
  const T* data;
  int64_t stride;
  bool transposed = false;
};

/// What operands are rounded to before they are multiplied. Sums are always taken in f32 (f64 for f64).
enum class Precision : uint8_t {
  full,  ///< not at all
  bf16,  ///< to bfloat16, 8 bits of mantissa
  int8,  ///< to 8 bits with a scale per row of A and per column of B; for inference; on the CPU alone
  f16,   ///< to IEEE binary16, 11 bits of mantissa; on the GPU alone: the CPU multiplies in full
};

/// What becomes of a product before it is stored: C = f(alpha · A B + beta · C + bias).
template <class T>
struct Finish {
  const T* bias = nullptr;               ///< [n], or null
  std::optional<Activation> activation;  ///< f, if any
  const void* rounded = nullptr;         ///< on the GPU, where C has 16 bits: the bias in its numbers, or null
};

/// C [m, n] = f(alpha · A B + beta · C + bias);  A is m × k, B is k × n, row i of C starts at c + i·c_stride. With
/// beta = 0 what C held before, NaN too, does not matter. k = 0 gives f(beta · C + bias). Every element of C is one sum
/// over k in an order that depends on k alone: it is the same bits for any number of threads, and whatever other rows
/// and columns are computed with it. f64 is always in full precision.
template <class T>
void gemm(Cpu, int64_t m, int64_t n, int64_t k, T alpha, Matrix<T> a, Matrix<T> b, T beta, T* c, int64_t c_stride,
          Finish<T> finish = {}, Precision precision = Precision::full);

/// `batch` independent products; operand p starts at data + p·step (step 0: shared).
template <class T>
void gemm_batched(Cpu, int64_t batch, int64_t m, int64_t n, int64_t k, T alpha, Matrix<T> a, int64_t a_step,
                  Matrix<T> b, int64_t b_step, T beta, T* c, int64_t c_stride, int64_t c_step);

/// A B that serves many products (a weight, at inference) is put into the order in which it is read once:
/// gemm_pack(b) then gemm_packed gives the bits of gemm. `packed` has gemm_packed_bytes(…), aligned to 64 bytes; its
/// form depends on the processor, so it is never stored.
int64_t gemm_packed_bytes(Cpu, int64_t n, int64_t k, Precision precision);
void gemm_pack(Cpu, int64_t n, int64_t k, Matrix<float> b, Precision precision, void* packed);
void gemm_packed(Cpu, int64_t m, int64_t n, int64_t k, float alpha, Matrix<float> a, const void* packed, float beta,
                 float* c, int64_t c_stride, Finish<float> finish, Precision precision);

/// The plain triple loop: the oracle of the fast one.
template <class T>
void gemm_plain(int64_t m, int64_t n, int64_t k, T alpha, Matrix<T> a, Matrix<T> b, T beta, T* c, int64_t c_stride,
                Finish<T> finish = {});

/// On the GPU, by cublasLt: T is f32, f64, f16 or bf16; C is T, or f32 for 16-bit operands (the gradient of a weight).
/// Sums are f32 (f64 for f64), never of rounded operands unless T or `precision` says so; alpha and beta are host
/// values. A result in 16 bits is rounded once more before an activation, and a bias is rounded to C before it is
/// added, at each call where `finish` does not bring it so. f32 in f16 or bf16 copies the operands; int8 is not for the
/// GPU and computes in full. The order of a sum depends on the shape, so a row's bits may depend on how many are
/// computed with it; the same call gives the same bits run after run.
template <class T, class C = T>
void gemm(Cuda, int64_t m, int64_t n, int64_t k, Accumulator<T> alpha, Matrix<T> a, Matrix<T> b, Accumulator<T> beta,
          C* c, int64_t c_stride, Finish<Accumulator<T>> finish = {}, Precision precision = Precision::full);
template <class T, class C = T>
void gemm_batched(Cuda, int64_t batch, int64_t m, int64_t n, int64_t k, Accumulator<T> alpha, Matrix<T> a,
                  int64_t a_step, Matrix<T> b, int64_t b_step, Accumulator<T> beta, C* c, int64_t c_stride,
                  int64_t c_step);

/// A weight in the numbers of its precision and in the order that tensor cores like best, once: [n, k], rows a multiple
/// of 16 bytes. T is f32 with any precision, or a 16-bit type with its own. The bits may differ from those of gemm,
/// which gives cublasLt another layout; the rounding of the operands is the same.
int64_t gemm_packed_bytes(Cuda, int64_t n, int64_t k, Precision precision);
void gemm_pack(Cuda, int64_t n, int64_t k, Matrix<float> b, Precision precision, void* packed);
template <class T, class C = T>
void gemm_packed(Cuda, int64_t m, int64_t n, int64_t k, Accumulator<T> alpha, Matrix<T> a, const void* packed,
                 Accumulator<T> beta, C* c, int64_t c_stride, Finish<Accumulator<T>> finish, Precision precision);

/// The same contract by tiles in shared memory, without the library: the oracle of the fast one on the device, and what
/// serves where cublasLt has no algorithm (16-bit rows at odd addresses, say). Each sum runs along k in order.
template <class T, class C = T>
void gemm_plain(Cuda, int64_t m, int64_t n, int64_t k, Accumulator<T> alpha, Matrix<T> a, Matrix<T> b,
                Accumulator<T> beta, C* c, int64_t c_stride, Finish<Accumulator<T>> finish = {});

/// How products of a precision are computed here: "avx512", "amx-bf16", "avx512-vnni", …
const char* gemm_engine(Precision precision);

}  // namespace kernels
