#pragma once
#include <cuda_runtime.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "kernels/number.h"

/// The part of cublasLt that is called (kernels/cublaslt.h), with NVIDIA's names, values and meaning: D =
/// epilogue(alpha · op(A) op(B) + beta · C), matrices column by column. Plain loops; sums in f64, rounded as the
/// compute type says. What the documentation of cublasLtMatmul does not list is refused, and two things that may or may
/// not be refused by a card are refused here, so that what happens then is tested: 16-bit matrices at odd addresses or
/// with odd leading dimensions, and a bias that is not at a multiple of 16 bytes.

enum cublasStatus_t {
  CUBLAS_STATUS_SUCCESS = 0,
  CUBLAS_STATUS_NOT_INITIALIZED = 1,
  CUBLAS_STATUS_INVALID_VALUE = 7,
  CUBLAS_STATUS_EXECUTION_FAILED = 13,
  CUBLAS_STATUS_NOT_SUPPORTED = 15,
};
enum cublasComputeType_t { CUBLAS_COMPUTE_32F = 68, CUBLAS_COMPUTE_64F = 70 };
enum cublasOperation_t { CUBLAS_OP_N = 0, CUBLAS_OP_T = 1 };
enum cudaDataType_t { CUDA_R_32F = 0, CUDA_R_64F = 1, CUDA_R_16F = 2, CUDA_R_16BF = 14 };

enum cublasLtEpilogue_t {
  CUBLASLT_EPILOGUE_DEFAULT = 1,
  CUBLASLT_EPILOGUE_BIAS = 4,
};
enum cublasLtReductionScheme_t {
  CUBLASLT_REDUCTION_SCHEME_NONE = 0,
  CUBLASLT_REDUCTION_SCHEME_INPLACE = 1,
  CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE = 2,
  CUBLASLT_REDUCTION_SCHEME_OUTPUT_TYPE = 4,
  CUBLASLT_REDUCTION_SCHEME_MASK = 7,
};
enum cublasLtMatrixLayoutAttribute_t {
  CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT = 5,
  CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET = 6,
};
enum cublasLtMatmulDescAttributes_t {
  CUBLASLT_MATMUL_DESC_TRANSA = 3,
  CUBLASLT_MATMUL_DESC_TRANSB = 4,
  CUBLASLT_MATMUL_DESC_EPILOGUE = 7,
  CUBLASLT_MATMUL_DESC_BIAS_POINTER = 8,
  CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE = 26,
};
enum cublasLtMatmulPreferenceAttributes_t {
  CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES = 1,
  CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK = 3,
  CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES = 5,
  CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES = 6,
  CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES = 7,
  CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES = 8,
};

struct cublasLtContext {};
using cublasLtHandle_t = cublasLtContext*;
struct cublasLtMatrixLayoutOpaque_t {
  cudaDataType_t type;
  uint64_t rows, cols;
  int64_t ld, step;
  int32_t batch;
};
struct cublasLtMatmulDescOpaque_t {
  cublasComputeType_t compute;
  cudaDataType_t scale;
  int32_t transposed_a, transposed_b, bias_type;
  uint32_t epilogue;
  const void* bias;
};
struct cublasLtMatmulPreferenceOpaque_t {
  uint64_t workspace;
  uint32_t reduction;
  uint32_t alignment[4];  ///< of A, B, C, D
};
struct cublasLtMatmulAlgo_t {
  uint64_t workspace;
  uint32_t alignment[4];
  bool chosen;
};
struct cublasLtMatmulHeuristicResult_t {
  cublasLtMatmulAlgo_t algo;
  size_t workspaceSize;
  cublasStatus_t state;
  float wavesCount;
};
using cublasLtMatrixLayout_t = cublasLtMatrixLayoutOpaque_t*;
using cublasLtMatmulDesc_t = cublasLtMatmulDescOpaque_t*;
using cublasLtMatmulPreference_t = cublasLtMatmulPreferenceOpaque_t*;

inline const char* cublasLtGetStatusName(cublasStatus_t status) {
  switch (status) {
    case CUBLAS_STATUS_SUCCESS:
      return "CUBLAS_STATUS_SUCCESS";
    case CUBLAS_STATUS_NOT_INITIALIZED:
      return "CUBLAS_STATUS_NOT_INITIALIZED";
    case CUBLAS_STATUS_INVALID_VALUE:
      return "CUBLAS_STATUS_INVALID_VALUE";
    case CUBLAS_STATUS_EXECUTION_FAILED:
      return "CUBLAS_STATUS_EXECUTION_FAILED";
    case CUBLAS_STATUS_NOT_SUPPORTED:
      return "CUBLAS_STATUS_NOT_SUPPORTED";
  }
  return "unknown";
}

inline cublasStatus_t cublasLtCreate(cublasLtHandle_t* handle) {
  if (handle == nullptr) return CUBLAS_STATUS_INVALID_VALUE;
  static cublasLtContext one;
  *handle = &one;
  return CUBLAS_STATUS_SUCCESS;
}

inline cublasStatus_t cublasLtMatrixLayoutInit_internal(cublasLtMatrixLayout_t layout, size_t bytes,
                                                        cudaDataType_t type, uint64_t rows, uint64_t cols, int64_t ld) {
  if (bytes != sizeof *layout) return CUBLAS_STATUS_INVALID_VALUE;
  *layout = {type, rows, cols, ld, 0, 1};
  return CUBLAS_STATUS_SUCCESS;
}
inline cublasStatus_t cublasLtMatmulDescInit_internal(cublasLtMatmulDesc_t product, size_t bytes,
                                                      cublasComputeType_t compute, cudaDataType_t scale) {
  if (bytes != sizeof *product) return CUBLAS_STATUS_INVALID_VALUE;
  *product = {compute, scale, CUBLAS_OP_N, CUBLAS_OP_N, -1, CUBLASLT_EPILOGUE_DEFAULT, nullptr};
  return CUBLAS_STATUS_SUCCESS;
}
inline cublasStatus_t cublasLtMatmulPreferenceInit_internal(cublasLtMatmulPreference_t preference, size_t bytes) {
  if (bytes != sizeof *preference) return CUBLAS_STATUS_INVALID_VALUE;
  *preference = {0, CUBLASLT_REDUCTION_SCHEME_MASK, {256, 256, 256, 256}};
  return CUBLAS_STATUS_SUCCESS;
}

namespace simt {

/// An attribute of another size than its own is refused.
template <class Value>
cublasStatus_t set_attribute(Value& value, const void* from, size_t bytes) {
  if (from == nullptr || bytes != sizeof value) return CUBLAS_STATUS_INVALID_VALUE;
  std::memcpy(&value, from, bytes);
  return CUBLAS_STATUS_SUCCESS;
}

}  // namespace simt

inline cublasStatus_t cublasLtMatrixLayoutSetAttribute(cublasLtMatrixLayout_t layout,
                                                       cublasLtMatrixLayoutAttribute_t attribute, const void* from,
                                                       size_t bytes) {
  switch (attribute) {
    case CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT:
      return simt::set_attribute(layout->batch, from, bytes);
    case CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET:
      return simt::set_attribute(layout->step, from, bytes);
  }
  return CUBLAS_STATUS_INVALID_VALUE;
}
inline cublasStatus_t cublasLtMatmulDescSetAttribute(cublasLtMatmulDesc_t product,
                                                     cublasLtMatmulDescAttributes_t attribute, const void* from,
                                                     size_t bytes) {
  switch (attribute) {
    case CUBLASLT_MATMUL_DESC_TRANSA:
      return simt::set_attribute(product->transposed_a, from, bytes);
    case CUBLASLT_MATMUL_DESC_TRANSB:
      return simt::set_attribute(product->transposed_b, from, bytes);
    case CUBLASLT_MATMUL_DESC_EPILOGUE:
      return simt::set_attribute(product->epilogue, from, bytes);
    case CUBLASLT_MATMUL_DESC_BIAS_POINTER:
      return simt::set_attribute(product->bias, from, bytes);
    case CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE:
      return simt::set_attribute(product->bias_type, from, bytes);
  }
  return CUBLAS_STATUS_INVALID_VALUE;
}
inline cublasStatus_t cublasLtMatmulPreferenceSetAttribute(cublasLtMatmulPreference_t preference,
                                                           cublasLtMatmulPreferenceAttributes_t attribute,
                                                           const void* from, size_t bytes) {
  switch (attribute) {
    case CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES:
      return simt::set_attribute(preference->workspace, from, bytes);
    case CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK:
      return simt::set_attribute(preference->reduction, from, bytes);
    case CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES:
    case CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES:
    case CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES:
    case CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES:
      return simt::set_attribute(preference->alignment[attribute - CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES], from,
                                 bytes);
  }
  return CUBLAS_STATUS_INVALID_VALUE;
}

namespace simt {

/// An operand, or the result, of a product.
struct LtMatrix {
  const cublasLtMatrixLayoutOpaque_t& layout;
  bool transposed = false;
  int64_t rows() const { return int64_t(transposed ? layout.cols : layout.rows); }
  int64_t cols() const { return int64_t(transposed ? layout.rows : layout.cols); }
  bool narrow() const { return layout.type == CUDA_R_16F || layout.type == CUDA_R_16BF; }
  int64_t index(int64_t p, int64_t row, int64_t col) const {
    return p * layout.step + (transposed ? row * layout.ld + col : col * layout.ld + row);
  }
  double at(const void* data, int64_t p, int64_t row, int64_t col) const {
    return number(data, layout.type, index(p, row, col));
  }
  static double number(const void* data, int32_t type, int64_t i) {
    switch (type) {
      case CUDA_R_32F:
        return double(static_cast<const float*>(data)[i]);
      case CUDA_R_64F:
        return static_cast<const double*>(data)[i];
      case CUDA_R_16F:
        return double(float(static_cast<const kernels::f16*>(data)[i]));
      default:
        return double(float(static_cast<const kernels::bf16*>(data)[i]));
    }
  }
  void store(void* data, int64_t p, int64_t row, int64_t col, double value) const {
    const int64_t i = index(p, row, col);
    switch (layout.type) {
      case CUDA_R_32F:
        static_cast<float*>(data)[i] = float(value);
        break;
      case CUDA_R_64F:
        static_cast<double*>(data)[i] = value;
        break;
      case CUDA_R_16F:
        static_cast<kernels::f16*>(data)[i] = kernels::f16(float(value));
        break;
      case CUDA_R_16BF:
        static_cast<kernels::bf16*>(data)[i] = kernels::bf16(float(value));
        break;
    }
  }
};

/// What is wrong with a product, whatever its pointers.
inline cublasStatus_t judge(const cublasLtMatmulDescOpaque_t& product, const cublasLtMatrixLayoutOpaque_t& first,
                            const cublasLtMatrixLayoutOpaque_t& second, const cublasLtMatrixLayoutOpaque_t& c,
                            const cublasLtMatrixLayoutOpaque_t& d) {
  const auto is_op = [](int32_t op) { return op == CUBLAS_OP_N || op == CUBLAS_OP_T; };
  if (!is_op(product.transposed_a) || !is_op(product.transposed_b)) return CUBLAS_STATUS_INVALID_VALUE;
  const LtMatrix a{first, product.transposed_a == CUBLAS_OP_T}, b{second, product.transposed_b == CUBLAS_OP_T};
  if (a.cols() != b.rows() || int64_t(d.rows) != a.rows() || int64_t(d.cols) != b.cols() || c.rows != d.rows ||
      c.cols != d.cols || c.type != d.type) {
    return CUBLAS_STATUS_INVALID_VALUE;
  }
  for (const auto* layout : {&first, &second, &c, &d}) {
    if (layout->rows == 0 || layout->cols == 0 || layout->ld < int64_t(layout->rows) || layout->batch < 1 ||
        layout->batch != d.batch) {
      return CUBLAS_STATUS_INVALID_VALUE;
    }
  }
  if (product.epilogue != CUBLASLT_EPILOGUE_DEFAULT && product.epilogue != CUBLASLT_EPILOGUE_BIAS) {
    return CUBLAS_STATUS_NOT_SUPPORTED;
  }
  // The rows of the documentation's table.
  const bool wide = product.compute == CUBLAS_COMPUTE_64F;
  const bool known =
      wide ? first.type == CUDA_R_64F && d.type == CUDA_R_64F && product.scale == CUDA_R_64F
           : first.type != CUDA_R_64F && (d.type == first.type || d.type == CUDA_R_32F) && product.scale == CUDA_R_32F;
  if (!known || second.type != first.type) return CUBLAS_STATUS_NOT_SUPPORTED;
  const bool bias = product.epilogue == CUBLASLT_EPILOGUE_BIAS;
  if (bias && product.bias_type != -1 && product.bias_type != d.type) return CUBLAS_STATUS_NOT_SUPPORTED;
  return CUBLAS_STATUS_SUCCESS;
}

inline void multiply(const cublasLtMatmulDescOpaque_t& product, double factor, const void* a,
                     const cublasLtMatrixLayoutOpaque_t& a_layout, const void* b,
                     const cublasLtMatrixLayoutOpaque_t& b_layout, double kept, const void* c,
                     const cublasLtMatrixLayoutOpaque_t& c_layout, void* d,
                     const cublasLtMatrixLayoutOpaque_t& d_layout) {
  const LtMatrix left{a_layout, product.transposed_a == CUBLAS_OP_T},
      right{b_layout, product.transposed_b == CUBLAS_OP_T}, before{c_layout}, out{d_layout};
  for (int64_t p = 0; p < d_layout.batch; ++p) {
    for (int64_t col = 0; col < out.cols(); ++col) {
      for (int64_t row = 0; row < out.rows(); ++row) {
        double sum = 0;
        for (int64_t q = 0; q < left.cols(); ++q) sum += left.at(a, p, row, q) * right.at(b, p, q, col);
        if (product.compute == CUBLAS_COMPUTE_32F) sum = double(float(sum));
        sum = factor * sum + (kept == 0 ? 0 : kept * before.at(c, p, row, col));
        if (product.epilogue == CUBLASLT_EPILOGUE_BIAS) sum += LtMatrix::number(product.bias, d_layout.type, row);
        out.store(d, p, row, col, sum);
      }
    }
  }
}

}  // namespace simt

inline cublasStatus_t cublasLtMatmulAlgoGetHeuristic(cublasLtHandle_t handle, cublasLtMatmulDesc_t product,
                                                     cublasLtMatrixLayout_t a, cublasLtMatrixLayout_t b,
                                                     cublasLtMatrixLayout_t c, cublasLtMatrixLayout_t d,
                                                     cublasLtMatmulPreference_t preference, int wanted,
                                                     cublasLtMatmulHeuristicResult_t* results, int* count) {
  if (handle == nullptr) return CUBLAS_STATUS_NOT_INITIALIZED;
  if (wanted < 1 || results == nullptr || count == nullptr) return CUBLAS_STATUS_INVALID_VALUE;
  *count = 0;
  const cublasStatus_t wrong = simt::judge(*product, *a, *b, *c, *d);
  if (wrong != CUBLAS_STATUS_SUCCESS) return wrong;
  int i = 0;
  for (const auto* layout : {a, b, c, d}) {
    const bool odd = preference->alignment[i++] % 4 != 0 || layout->ld % 2 != 0 || layout->step % 2 != 0;
    if (odd && simt::LtMatrix{*layout}.narrow()) return CUBLAS_STATUS_NOT_SUPPORTED;
  }
  const uint64_t workspace = preference->workspace >= 1024 ? 1024 : 0;
  const auto& [x, y, z, w] = preference->alignment;
  results[0] = {{workspace, {x, y, z, w}, true}, workspace, CUBLAS_STATUS_SUCCESS, 1};
  *count = 1;
  return CUBLAS_STATUS_SUCCESS;
}

inline cublasStatus_t cublasLtMatmul(cublasLtHandle_t handle, cublasLtMatmulDesc_t product, const void* alpha,
                                     const void* a, cublasLtMatrixLayout_t a_layout, const void* b,
                                     cublasLtMatrixLayout_t b_layout, const void* beta, const void* c,
                                     cublasLtMatrixLayout_t c_layout, void* d, cublasLtMatrixLayout_t d_layout,
                                     const cublasLtMatmulAlgo_t* algorithm, void* workspace, size_t workspace_bytes,
                                     cudaStream_t stream) {
  if (handle == nullptr) return CUBLAS_STATUS_NOT_INITIALIZED;
  const cublasStatus_t wrong = simt::judge(*product, *a_layout, *b_layout, *c_layout, *d_layout);
  if (wrong != CUBLAS_STATUS_SUCCESS) return wrong;
  const bool biased = product->epilogue == CUBLASLT_EPILOGUE_BIAS;
  const auto address = [](const void* p) { return reinterpret_cast<uintptr_t>(p); };
  if (!algorithm->chosen || (biased && (product->bias == nullptr || address(product->bias) % 16 != 0))) {
    return CUBLAS_STATUS_INVALID_VALUE;
  }
  int i = 0;
  for (const void* data : {a, b, c, static_cast<const void*>(d)}) {
    if (data == nullptr || address(data) % algorithm->alignment[i++] != 0) return CUBLAS_STATUS_INVALID_VALUE;
  }
  if (algorithm->workspace > 0) {
    if (workspace == nullptr || address(workspace) % 256 != 0 || workspace_bytes < algorithm->workspace) {
      return CUBLAS_STATUS_INVALID_VALUE;
    }
  }
  const auto number = [](const void* x, cudaDataType_t type) { return simt::LtMatrix::number(x, type, 0); };
  const double factor = number(alpha, product->scale), kept = number(beta, product->scale);
  const cudaError_t error =
      simt::queue(stream, [=, product = *product, a_layout = *a_layout, b_layout = *b_layout, c_layout = *c_layout,
                           d_layout = *d_layout, used = size_t(algorithm->workspace)] {
        if (used > 0) std::memset(workspace, 0xff, used);
        simt::multiply(product, factor, a, a_layout, b, b_layout, kept, c, c_layout, d, d_layout);
      });
  return error == cudaSuccess ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_EXECUTION_FAILED;
}
