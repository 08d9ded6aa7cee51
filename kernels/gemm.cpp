#include "kernels/gemm.h"

#include "kernels/gemm_engines.h"
#include "kernels/gemm_tile.h"

namespace kernels {
namespace {

/// Whether the CPU rounds operands for it.
bool is_narrow(Precision precision) { return precision == Precision::bf16 || precision == Precision::int8; }

}  // namespace

template <class T>
void gemm(Cpu cpu, int64_t m, int64_t n, int64_t k, T alpha, Matrix<T> a, Matrix<T> b, T beta, T* c, int64_t stride,
          Finish<T> finish, Precision precision) {
  if (m == 0 || n == 0) return;
  if (k == 0) return gemm_plain(m, n, k, alpha, a, b, beta, c, stride, finish);
  const Call<T> call{m, n, k, alpha, a, beta, c, stride, finish};
  if constexpr (std::is_same_v<T, float>) {
    if (is_narrow(precision)) return narrow_engine(precision).multiply(cpu, call, b);
  }
  multiply<VectorEngine<T>>(cpu, call, b);
}

int64_t gemm_packed_bytes(Cpu, int64_t n, int64_t k, Precision precision) {
  if (k == 0) return 0;
  if (is_narrow(precision)) return narrow_engine(precision).packed_bytes(n, k);
  return packed_units<VectorEngine<float>>(n, k) * int64_t(sizeof(float));
}

void gemm_pack(Cpu cpu, int64_t n, int64_t k, Matrix<float> b, Precision precision, void* packed) {
  if (k == 0) return;
  if (is_narrow(precision)) return narrow_engine(precision).pack(cpu, b, n, k, packed);
  pack_whole<VectorEngine<float>>(cpu, b, n, k, static_cast<float*>(packed));
}

void gemm_packed(Cpu cpu, int64_t m, int64_t n, int64_t k, float alpha, Matrix<float> a, const void* packed, float beta,
                 float* c, int64_t stride, Finish<float> finish, Precision precision) {
  if (m == 0 || n == 0) return;
  if (k == 0) return gemm_plain(m, n, k, alpha, a, Matrix<float>{nullptr, n}, beta, c, stride, finish);
  const Call<float> call{m, n, k, alpha, a, beta, c, stride, finish};
  if (is_narrow(precision)) return narrow_engine(precision).multiply_packed(cpu, call, packed);
  multiply_packed<VectorEngine<float>>(cpu, call, static_cast<const float*>(packed));
}

const char* gemm_engine(Precision precision) {
  constexpr const char* level = vector_bytes == 64 ? "avx512" : vector_bytes == 32 ? "avx2" : "sse";
  return is_narrow(precision) ? narrow_engine(precision).name : level;
}

template <class T>
void gemm_batched(Cpu cpu, int64_t batch, int64_t m, int64_t n, int64_t k, T alpha, Matrix<T> a, int64_t a_step,
                  Matrix<T> b, int64_t b_step, T beta, T* c, int64_t c_stride, int64_t c_step) {
  if (batch == 1) return gemm(cpu, m, n, k, alpha, a, b, beta, c, c_stride);
  cpu.parallel(batch, 2 * m * n * std::max<int64_t>(k, 1), [&](int64_t begin, int64_t end) {
    for (int64_t p = begin; p < end; ++p) {
      gemm(cpu, m, n, k, alpha, Matrix<T>{a.data + p * a_step, a.stride, a.transposed},
           Matrix<T>{b.data + p * b_step, b.stride, b.transposed}, beta, c + p * c_step, c_stride);
    }
  });
}

template <class T>
void gemm_plain(int64_t m, int64_t n, int64_t k, T alpha, Matrix<T> a, Matrix<T> b, T beta, T* c, int64_t stride,
                Finish<T> finish) {
  for (int64_t i = 0; i < m; ++i) {
    for (int64_t j = 0; j < n; ++j) {
      T sum = 0;
      for (int64_t p = 0; p < k; ++p) {
        const T left = a.transposed ? a.data[p * a.stride + i] : a.data[i * a.stride + p];
        const T right = b.transposed ? b.data[j * b.stride + p] : b.data[p * b.stride + j];
        sum += left * right;
      }
      T& out = c[i * stride + j];
      out = alpha * sum + (beta == T(0) ? T(0) : beta * out) + (finish.bias ? finish.bias[j] : T(0));
      if (finish.activation) with_activation(*finish.activation, [&](auto function) { out = function.value(out); });
    }
  }
}

#define ACE_INSTANTIATE(T)                                                                                           \
  template void gemm(Cpu, int64_t, int64_t, int64_t, T, Matrix<T>, Matrix<T>, T, T*, int64_t, Finish<T>, Precision); \
  template void gemm_batched(Cpu, int64_t, int64_t, int64_t, int64_t, T, Matrix<T>, int64_t, Matrix<T>, int64_t, T,  \
                             T*, int64_t, int64_t);                                                                  \
  template void gemm_plain(int64_t, int64_t, int64_t, T, Matrix<T>, Matrix<T>, T, T*, int64_t, Finish<T>);
ACE_INSTANTIATE(float)
ACE_INSTANTIATE(double)

}  // namespace kernels
