#include <algorithm>
#include <compare>
#include <limits>
#include <map>
#include <string>

#include "kernels/cublaslt.h"
#include "kernels/gemm_cuda.h"
#include "kernels/launch.h"

namespace kernels {
namespace {

template <class T>
constexpr cudaDataType_t type_of = std::is_same_v<T, double>  ? CUDA_R_64F
                                   : std::is_same_v<T, float> ? CUDA_R_32F
                                   : std::is_same_v<T, f16>   ? CUDA_R_16F
                                                              : CUDA_R_16BF;

/// All that an algorithm is chosen by. cublasLt sees columns where we see rows: it is given Cᵀ = Bᵀ Aᵀ, where a matrix
/// of ours, read column by column, already is its transpose. So `first` is our B, and `second` our A.
struct Shape {
  struct Operand {
    int64_t rows, cols;  ///< as cublasLt sees the storage, before op()
    int64_t stride, step;
    int64_t transposed;
    int64_t alignment;  ///< of the address and of the steps, in bytes, at most 16
    auto operator<=>(const Operand&) const = default;
  };
  int64_t type, c_type, batch;
  Operand first, second, c;
  bool biased;
  auto operator<=>(const Shape&) const = default;
};

/// A product of one shape, ready to be queued.
struct Plan {
  cublasLtMatmulDescOpaque_t product;
  cublasLtMatrixLayoutOpaque_t first, second, c;
  cublasLtMatmulAlgo_t algorithm;
  size_t workspace = 0;
  bool exists = false;  ///< cublasLt has an algorithm
};

void note_status(cublasStatus_t status, const char* what) {
  if (status == CUBLAS_STATUS_SUCCESS) return;
  note(cudaErrorLaunchFailure, (std::string(what) + ": " + cublaslt().status_name(status)).c_str());
}

/// The process's handle, workspace and plans, made at first use and never unmade, like the device's context.
class Library {
 public:
  static Library& one() {
    static Library* const library = new Library;
    return *library;
  }
  Plan& plan(const Shape& shape) {
    constexpr size_t most = 4096;
    const auto found = plans_.find(shape);
    if (found != plans_.end()) return found->second;
    if (plans_.size() == most) plans_.clear();
    return plans_[shape] = make(shape);
  }
  cublasLtHandle_t handle() const { return handle_; }
  void* workspace() const { return workspace_; }

 private:
  Library() {
    note_status(cublaslt().create(&handle_), "cublasLt");
    workspace_bytes_ = size_t(Cuda::capability() >= 90 ? 32 : 4) << 20;  // what NVIDIA recommends
    workspace_ = Cuda::allocate_sparing(int64_t(workspace_bytes_));
    if (workspace_ == nullptr) workspace_bytes_ = 0;
  }
  Plan make(const Shape& shape) const;

  cublasLtHandle_t handle_ = nullptr;
  void* workspace_ = nullptr;
  size_t workspace_bytes_ = 0;
  std::map<Shape, Plan> plans_;
};

/// Sets attributes and remembers whether all were taken.
struct Setter {
  bool good = true;
  template <class Descriptor, class Attribute, class Value>
  void operator()(cublasStatus_t (*set)(Descriptor*, Attribute, const void*, size_t), Descriptor& descriptor,
                  Attribute attribute, Value value) {
    good = good && set(&descriptor, attribute, &value, sizeof value) == CUBLAS_STATUS_SUCCESS;
  }
  void layout(cublasLtMatrixLayoutOpaque_t& layout, int64_t type, const Shape::Operand& operand, int64_t batch) {
    good = good && cublaslt().init_layout(&layout, sizeof layout, cudaDataType_t(type), uint64_t(operand.rows),
                                          uint64_t(operand.cols), operand.stride) == CUBLAS_STATUS_SUCCESS;
    if (batch == 1) return;
    (*this)(cublaslt().set_layout, layout, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, int32_t(batch));
    (*this)(cublaslt().set_layout, layout, CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET, operand.step);
  }
};

/// The heuristic's first choice. Sums along k may be split, if the parts are added in a fixed order and in the compute
/// type: in place they would be added as they come.
Plan Library::make(const Shape& shape) const {
  const CublasLt& lt = cublaslt();
  Plan plan;
  Setter set;
  const bool wide = shape.type == CUDA_R_64F;
  set.good = handle_ != nullptr && shape.batch <= std::numeric_limits<int32_t>::max() &&
             lt.init_product(&plan.product, sizeof plan.product, wide ? CUBLAS_COMPUTE_64F : CUBLAS_COMPUTE_32F,
                             wide ? CUDA_R_64F : CUDA_R_32F) == CUBLAS_STATUS_SUCCESS;
  const auto op = [](const Shape::Operand& operand) { return int32_t(operand.transposed ? CUBLAS_OP_T : CUBLAS_OP_N); };
  set(lt.set_product, plan.product, CUBLASLT_MATMUL_DESC_TRANSA, op(shape.first));
  set(lt.set_product, plan.product, CUBLASLT_MATMUL_DESC_TRANSB, op(shape.second));
  if (shape.biased) {
    set(lt.set_product, plan.product, CUBLASLT_MATMUL_DESC_EPILOGUE, uint32_t(CUBLASLT_EPILOGUE_BIAS));
    set(lt.set_product, plan.product, CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE, int32_t(shape.c_type));
  }
  set.layout(plan.first, shape.type, shape.first, shape.batch);
  set.layout(plan.second, shape.type, shape.second, shape.batch);
  set.layout(plan.c, shape.c_type, shape.c, shape.batch);

  cublasLtMatmulPreferenceOpaque_t wish;
  set.good = set.good && lt.init_preference(&wish, sizeof wish) == CUBLAS_STATUS_SUCCESS;
  const auto prefer = [&](cublasLtMatmulPreferenceAttributes_t attribute, auto value) {
    set(lt.set_preference, wish, attribute, value);
  };
  prefer(CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, uint64_t(workspace_bytes_));
  prefer(CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, uint32_t(CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE));
  prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, uint32_t(shape.first.alignment));
  prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, uint32_t(shape.second.alignment));
  prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, uint32_t(shape.c.alignment));
  prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, uint32_t(shape.c.alignment));
  cublasLtMatmulHeuristicResult_t found{};
  int count = 0;
  plan.exists = set.good &&
                lt.choose(handle_, &plan.product, &plan.first, &plan.second, &plan.c, &plan.c, &wish, 1, &found,
                          &count) == CUBLAS_STATUS_SUCCESS &&
                count == 1 && found.state == CUBLAS_STATUS_SUCCESS;
  plan.algorithm = found.algo;
  plan.workspace = found.workspaceSize;
  return plan;
}

int64_t alignment_of(const void* data, int64_t step_bytes) {
  constexpr uint64_t most = 16;
  const uint64_t bits = reinterpret_cast<uintptr_t>(data) | uint64_t(step_bytes) | most;
  return int64_t(bits & (~bits + 1));  // the lowest bit
}

/// A matrix of rows × cols as op() sees it.
template <class T>
Shape::Operand operand(Matrix<T> matrix, int64_t rows, int64_t cols, int64_t step, int64_t batch) {
  const int64_t lines = matrix.transposed ? cols : rows, length = matrix.transposed ? rows : cols;
  const int64_t used = batch == 1 ? 0 : step;
  return {length,
          lines,
          lines == 1 ? std::max(matrix.stride, length) : matrix.stride,  // with one line it is never taken
          used,
          matrix.transposed,
          alignment_of(matrix.data, used * int64_t(sizeof(T)))};
}

}  // namespace

template <class T, class C>
bool multiply_by_library(Cuda cuda, const Product<T, C>& p, const C* bias) {
  if (reinterpret_cast<uintptr_t>(bias) % 16 != 0) return false;  // some of its kernels read 16 bytes at once
  const Shape shape{type_of<T>,
                    type_of<C>,
                    p.batch,
                    operand(p.b, p.k, p.n, p.b_step, p.batch),
                    operand(p.a, p.m, p.k, p.a_step, p.batch),
                    operand(Matrix<C>{p.c, p.c_stride}, p.m, p.n, p.c_step, p.batch),
                    bias != nullptr};
  Library& library = Library::one();
  Plan& plan = library.plan(shape);
  if (!plan.exists) return false;
  if (bias != nullptr) {
    cublaslt().set_product(&plan.product, CUBLASLT_MATMUL_DESC_BIAS_POINTER, &bias, sizeof bias);
  }
  const cublasStatus_t status = cublaslt().multiply(
      library.handle(), &plan.product, &p.alpha, p.b.data, &plan.first, p.a.data, &plan.second, &p.beta, p.c, &plan.c,
      p.c, &plan.c, &plan.algorithm, library.workspace(), plan.workspace, cuda.stream());
  if (status == CUBLAS_STATUS_NOT_SUPPORTED) return plan.exists = false;
  note_status(status, "product");
  return true;
}

template bool multiply_by_library(Cuda, const Product<float, float>&, const float*);
template bool multiply_by_library(Cuda, const Product<double, double>&, const double*);
template bool multiply_by_library(Cuda, const Product<f16, f16>&, const f16*);
template bool multiply_by_library(Cuda, const Product<f16, float>&, const float*);
template bool multiply_by_library(Cuda, const Product<bf16, bf16>&, const bf16*);
template bool multiply_by_library(Cuda, const Product<bf16, float>&, const float*);

}  // namespace kernels
