#include "tools/bench_peer.h"

#include <cuda_runtime.h>
#ifdef ACE_CUDNN
#include <cudnn.h>
#endif

#include <array>
#include <cmath>
#include <map>
#include <memory>
#include <tuple>
#include <utility>
#include <vector>

#include "kernels/backend.h"
#include "kernels/cublaslt.h"

namespace tools::bench::peer {
namespace {

constexpr int64_t workspace_bytes = int64_t(64) << 20;

/// One for all calls: they follow one another on one stream.
void* workspace() {
  static void* const block = kernels::Cuda::allocate(workspace_bytes);
  return block;
}

cudaDataType_t cuda_type(DType type) {
  return type == DType::f32 ? CUDA_R_32F : type == DType::f16 ? CUDA_R_16F : CUDA_R_16BF;
}

/// What was made for operations of these kinds, types and sizes: made once and kept for good, null where it cannot be
/// had. Calls of one shape differ in their pointers alone.
template <class Made>
struct Plans {
  using Name = std::tuple<int, DType, std::vector<int64_t>>;
  /// make(Made&) says whether it went well.
  template <class F>
  static Made* of(const Name& name, const F& make) {
    static auto& all = *new std::map<Name, std::unique_ptr<Made>>;  // not freed: the library may go before
    const auto [found, is_new] = all.try_emplace(name);
    if (is_new) {
      auto made = std::make_unique<Made>();
      if (make(*made)) found->second = std::move(made);
    }
    return found->second.get();
  }
};

/// The call, if it works.
template <class F>
Call if_it_works(bool good, const F& run) {
  if (!good || !run()) return {};
  return [=] { run(); };
}

bool ok(cublasStatus_t status) { return status == CUBLAS_STATUS_SUCCESS; }

/// The process's cublasLt, or null.
cublasLtHandle_t cublas() {
  static const cublasLtHandle_t one = [] {
    cublasLtHandle_t made = nullptr;
    return ok(kernels::cublaslt().create(&made)) ? made : nullptr;
  }();
  return one;
}

/// A product's descriptions and the algorithm that was chosen for it.
struct Product {
  cublasLtMatmulDescOpaque_t operation;
  cublasLtMatrixLayoutOpaque_t a, b, c;
  cublasLtMatmulHeuristicResult_t chosen{};

  /// cublasLt counts by columns, and our rows are its columns: Cᵀ = Bᵀ Aᵀ, so its first operand is our B.
  bool choose(DType type, int64_t m, int64_t n, int64_t k, bool left, bool right) {
    const kernels::CublasLt& lt = kernels::cublaslt();
    const cublasOperation_t first = right ? CUBLAS_OP_T : CUBLAS_OP_N, second = left ? CUBLAS_OP_T : CUBLAS_OP_N;
    const size_t bytes = workspace_bytes;
    const auto layout = [&](cublasLtMatrixLayoutOpaque_t& made, bool transposed, int64_t rows, int64_t cols) {
      if (transposed) std::swap(rows, cols);
      return ok(lt.init_layout(&made, sizeof made, cuda_type(type), uint64_t(cols), uint64_t(rows), cols));
    };
    cublasLtMatmulPreferenceOpaque_t preference;
    int found = 0;
    return cublas() != nullptr && ok(lt.init_product(&operation, sizeof operation, CUBLAS_COMPUTE_32F, CUDA_R_32F)) &&
           ok(lt.set_product(&operation, CUBLASLT_MATMUL_DESC_TRANSA, &first, sizeof first)) &&
           ok(lt.set_product(&operation, CUBLASLT_MATMUL_DESC_TRANSB, &second, sizeof second)) &&
           layout(a, right, k, n) && layout(b, left, m, k) && layout(c, false, m, n) &&
           ok(lt.init_preference(&preference, sizeof preference)) &&
           ok(lt.set_preference(&preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &bytes, sizeof bytes)) &&
           ok(lt.choose(cublas(), &operation, &a, &b, &c, &c, &preference, 1, &chosen, &found)) && found > 0;
  }

  bool run(const void* left, const void* right, void* result) {
    const float alpha = 1, beta = 0;
    return ok(kernels::cublaslt().multiply(cublas(), &operation, &alpha, right, &a, left, &b, &beta, result, &c, result,
                                           &c, &chosen.algo, workspace(), workspace_bytes, kernels::Cuda().stream()));
  }
};

}  // namespace

Call product(DType type, int64_t m, int64_t n, int64_t k, const void* a, bool left, const void* b, bool right,
             void* c) {
  Product* const made = Plans<Product>::of({2 * left + right, type, {m, n, k}}, [&](Product& product) {
    return product.choose(type, m, n, k, left, right);
  });
  return if_it_works(made != nullptr && workspace() != nullptr, [=] { return made->run(a, b, c); });
}

#ifdef ACE_CUDNN
namespace {

/// The process's cuDNN on the stream of our kernels, or null.
cudnnHandle_t library() {
  static const cudnnHandle_t one = [] {
    cudnnHandle_t made = nullptr;
    if (cudnnCreate(&made) != CUDNN_STATUS_SUCCESS) return cudnnHandle_t(nullptr);
    return cudnnSetStream(made, kernels::Cuda().stream()) == CUDNN_STATUS_SUCCESS ? made : nullptr;
  }();
  return one;
}

cudnnDataType_t cudnn_type(DType type) {
  return type == DType::f32 ? CUDNN_DATA_FLOAT : type == DType::f16 ? CUDNN_DATA_HALF : CUDNN_DATA_BFLOAT16;
}

/// A matrix as cuDNN's softmax takes it: a row is an image of one pixel with `cols` channels.
struct Rows {
  cudnnTensorDescriptor_t made = nullptr;
  bool good;
  Rows(DType type, int64_t rows, int64_t cols)
      : good(cudnnCreateTensorDescriptor(&made) == CUDNN_STATUS_SUCCESS &&
             cudnnSetTensor4dDescriptor(made, CUDNN_TENSOR_NCHW, cudnn_type(type), int(rows), int(cols), 1, 1) ==
                 CUDNN_STATUS_SUCCESS) {}
  ~Rows() {
    if (made != nullptr) cudnnDestroyTensorDescriptor(made);
  }
};

using Sizes = std::array<int64_t, 4>;

/// One operation of cuDNN's graphs: its tensors, and the plan that computes it.
class Graph {
 public:
  Graph() = default;
  ~Graph() {
    for (auto made = owned_.rbegin(); made != owned_.rend(); ++made) cudnnBackendDestroyDescriptor(*made);
  }
  Graph(const Graph&) = delete;
  Graph& operator=(const Graph&) = delete;

  void operation(cudnnBackendDescriptorType_t type) { operation_ = make(type); }
  /// An operand or a result of the operation; `value`: a number that the host gives.
  void tensor(cudnnBackendAttributeName_t name, cudnnDataType_t type, const Sizes& sizes, const Sizes& strides,
              const float* value = nullptr) {
    const bool by_value = value != nullptr;
    const int64_t id = int64_t(ids_.size()) + 1, alignment = by_value ? sizeof(float) : 16;
    const cudnnBackendDescriptor_t made = make(CUDNN_BACKEND_TENSOR_DESCRIPTOR);
    set(made, CUDNN_ATTR_TENSOR_UNIQUE_ID, CUDNN_TYPE_INT64, &id);
    set(made, CUDNN_ATTR_TENSOR_DATA_TYPE, CUDNN_TYPE_DATA_TYPE, &type);
    set(made, CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, CUDNN_TYPE_INT64, &alignment);
    set(made, CUDNN_ATTR_TENSOR_DIMENSIONS, CUDNN_TYPE_INT64, sizes.data(), 4);
    set(made, CUDNN_ATTR_TENSOR_STRIDES, CUDNN_TYPE_INT64, strides.data(), 4);
    if (by_value) set(made, CUDNN_ATTR_TENSOR_IS_BY_VALUE, CUDNN_TYPE_BOOLEAN, &by_value);
    finish(made);
    set(operation_, name, CUDNN_TYPE_BACKEND_DESCRIPTOR, &made);
    ids_.push_back(id);
    values_.push_back(value);
  }
  void number(cudnnBackendAttributeName_t name, float value) {
    number_ = value;
    tensor(name, CUDNN_DATA_FLOAT, {1, 1, 1, 1}, {1, 1, 1, 1}, &number_);
  }
  template <class Kind>
  void choice(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type, Kind kind) {
    set(operation_, name, type, &kind);
  }

  /// The first plan that the heuristics offer and the library can build.
  bool plan() {
    if (library() == nullptr) return false;
    finish(operation_);
    const cudnnHandle_t handle = library();
    const cudnnBackendDescriptor_t graph = make(CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR);
    set(graph, CUDNN_ATTR_OPERATIONGRAPH_HANDLE, CUDNN_TYPE_HANDLE, &handle);
    set(graph, CUDNN_ATTR_OPERATIONGRAPH_OPS, CUDNN_TYPE_BACKEND_DESCRIPTOR, &operation_);
    finish(graph);
    for (const cudnnBackendHeurMode_t mode : {CUDNN_HEUR_MODE_A, CUDNN_HEUR_MODE_FALLBACK}) {
      if (good_ && plan_by(graph, mode)) return true;
    }
    return false;
  }
  /// The call with the tensors at these places, in the order they were named in; numbers are no tensors.
  Call on(std::initializer_list<const void*> tensors) const {
    std::vector<void*> data;
    auto next = tensors.begin();
    for (const float* value : values_) data.push_back(const_cast<void*>(value == nullptr ? *next++ : value));
    const auto pack = std::make_shared<Pack>(ids_, data);
    return if_it_works(pack->good, [pack, plan = plan_] {
      return cudnnBackendExecute(library(), plan, pack->made) == CUDNN_STATUS_SUCCESS;
    });
  }

 private:
  /// What a plan is started with.
  struct Pack {
    cudnnBackendDescriptor_t made = nullptr;
    bool good;
    Pack(const std::vector<int64_t>& ids, const std::vector<void*>& data) {
      void* const spare = workspace();
      const auto set = [&](cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type, const void* values,
                           size_t count) {
        good = good && cudnnBackendSetAttribute(made, name, type, int64_t(count), values) == CUDNN_STATUS_SUCCESS;
      };
      good = cudnnBackendCreateDescriptor(CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR, &made) == CUDNN_STATUS_SUCCESS;
      set(CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, CUDNN_TYPE_INT64, ids.data(), ids.size());
      set(CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, CUDNN_TYPE_VOID_PTR, data.data(), data.size());
      set(CUDNN_ATTR_VARIANT_PACK_WORKSPACE, CUDNN_TYPE_VOID_PTR, &spare, 1);
      good = good && cudnnBackendFinalize(made) == CUDNN_STATUS_SUCCESS;
    }
    Pack(const Pack&) = delete;
    ~Pack() {
      if (made != nullptr) cudnnBackendDestroyDescriptor(made);
    }
  };

  cudnnBackendDescriptor_t make(cudnnBackendDescriptorType_t type) {
    cudnnBackendDescriptor_t made = nullptr;
    if (cudnnBackendCreateDescriptor(type, &made) != CUDNN_STATUS_SUCCESS) {
      good_ = false;
    } else {
      owned_.push_back(made);
    }
    return made;
  }
  void set(cudnnBackendDescriptor_t of, cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type,
           const void* values, int64_t count = 1) {
    good_ = good_ && cudnnBackendSetAttribute(of, name, type, count, values) == CUDNN_STATUS_SUCCESS;
  }
  void finish(cudnnBackendDescriptor_t made) { good_ = good_ && cudnnBackendFinalize(made) == CUDNN_STATUS_SUCCESS; }

  bool plan_by(cudnnBackendDescriptor_t graph, cudnnBackendHeurMode_t mode) {
    const cudnnBackendDescriptor_t heuristics = make(CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR);
    set(heuristics, CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, CUDNN_TYPE_BACKEND_DESCRIPTOR, &graph);
    set(heuristics, CUDNN_ATTR_ENGINEHEUR_MODE, CUDNN_TYPE_HEUR_MODE, &mode);
    if (!good_ || cudnnBackendFinalize(heuristics) != CUDNN_STATUS_SUCCESS) return false;
    std::array<cudnnBackendDescriptor_t, 8> engines{};
    for (auto& engine : engines) engine = make(CUDNN_BACKEND_ENGINECFG_DESCRIPTOR);
    int64_t found = 0;
    if (!good_ || cudnnBackendGetAttribute(heuristics, CUDNN_ATTR_ENGINEHEUR_RESULTS, CUDNN_TYPE_BACKEND_DESCRIPTOR,
                                           int64_t(engines.size()), &found, engines.data()) != CUDNN_STATUS_SUCCESS) {
      return false;
    }
    for (size_t i = 0; i < size_t(found) && i < engines.size(); ++i) {
      if (plan_with(engines[i])) return true;
    }
    return false;
  }

  bool plan_with(cudnnBackendDescriptor_t engine) {
    const cudnnHandle_t handle = library();
    int64_t bytes = 0, count = 0;
    plan_ = make(CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR);
    set(plan_, CUDNN_ATTR_EXECUTION_PLAN_HANDLE, CUDNN_TYPE_HANDLE, &handle);
    set(plan_, CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, CUDNN_TYPE_BACKEND_DESCRIPTOR, &engine);
    if (!good_ || cudnnBackendFinalize(plan_) != CUDNN_STATUS_SUCCESS) return false;
    return cudnnBackendGetAttribute(plan_, CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE, CUDNN_TYPE_INT64, 1, &count,
                                    &bytes) == CUDNN_STATUS_SUCCESS &&
           bytes <= workspace_bytes && workspace() != nullptr;
  }

  bool good_ = true;
  std::vector<cudnnBackendDescriptor_t> owned_;
  std::vector<int64_t> ids_;
  std::vector<const float*> values_;  ///< of each tensor: null, or the number that it is
  float number_ = 0;
  cudnnBackendDescriptor_t operation_ = nullptr, plan_ = nullptr;
};

/// The call of an operation on these tensors, which describe(graph) names in the same order.
template <class F>
Call planned(cudnnBackendDescriptorType_t operation, DType type, const std::vector<int64_t>& sizes,
             std::initializer_list<const void*> tensors, const F& describe) {
  Graph* const graph = Plans<Graph>::of({int(operation), type, sizes}, [&](Graph& made) {
    made.operation(operation);
    describe(made);
    return made.plan();
  });
  return graph == nullptr ? Call() : graph->on(tensors);
}

}  // namespace

std::string cudnn_version() {
  if (library() == nullptr) return "";
  return std::to_string(cudnnGetVersion() / 10000) + "." + std::to_string(cudnnGetVersion() / 100 % 100);
}

Call softmax(DType type, bool log, const void* x, void* y, int64_t rows, int64_t cols) {
  const auto form = std::make_shared<Rows>(type, rows, cols);
  return if_it_works(form->good && library() != nullptr, [=] {
    const float one = 1, zero = 0;
    return cudnnSoftmaxForward(library(), log ? CUDNN_SOFTMAX_LOG : CUDNN_SOFTMAX_ACCURATE, CUDNN_SOFTMAX_MODE_INSTANCE,
                               &one, form->made, x, &zero, form->made, y) == CUDNN_STATUS_SUCCESS;
  });
}

Call softmax_backward(DType type, bool log, const void* y, const void* dy, void* dx, int64_t rows, int64_t cols) {
  const auto form = std::make_shared<Rows>(type, rows, cols);
  return if_it_works(form->good && library() != nullptr, [=] {
    const float one = 1, zero = 0;
    return cudnnSoftmaxBackward(library(), log ? CUDNN_SOFTMAX_LOG : CUDNN_SOFTMAX_ACCURATE,
                                CUDNN_SOFTMAX_MODE_INSTANCE, &one, form->made, y, form->made, dy, &zero, form->made,
                                dx) == CUDNN_STATUS_SUCCESS;
  });
}

Call layer_norm(DType type, const void* x, const float* weight, const float* bias, void* y, float* mean, float* rstd,
                int64_t rows, int64_t cols) {
  const Sizes all = {rows, cols, 1, 1}, all_strides = {cols, 1, cols, cols};
  const Sizes row = {1, cols, 1, 1}, column = {rows, 1, 1, 1}, column_strides = {1, 1, 1, 1};
  const cudnnDataType_t t = cudnn_type(type), f32 = CUDNN_DATA_FLOAT;
  return planned(CUDNN_BACKEND_OPERATION_NORM_FORWARD_DESCRIPTOR, type, {rows, cols}, {x, weight, bias, y, mean, rstd},
                 [&](Graph& graph) {
                   graph.choice(CUDNN_ATTR_OPERATION_NORM_FWD_MODE, CUDNN_TYPE_NORM_MODE, CUDNN_LAYER_NORM);
                   graph.choice(CUDNN_ATTR_OPERATION_NORM_FWD_PHASE, CUDNN_TYPE_NORM_FWD_PHASE,
                                CUDNN_NORM_FWD_TRAINING);
                   graph.tensor(CUDNN_ATTR_OPERATION_NORM_FWD_XDESC, t, all, all_strides);
                   graph.tensor(CUDNN_ATTR_OPERATION_NORM_FWD_SCALE_DESC, f32, row, all_strides);
                   graph.tensor(CUDNN_ATTR_OPERATION_NORM_FWD_BIAS_DESC, f32, row, all_strides);
                   graph.number(CUDNN_ATTR_OPERATION_NORM_FWD_EPSILON_DESC, 1e-5f);
                   graph.tensor(CUDNN_ATTR_OPERATION_NORM_FWD_YDESC, t, all, all_strides);
                   graph.tensor(CUDNN_ATTR_OPERATION_NORM_FWD_MEAN_DESC, f32, column, column_strides);
                   graph.tensor(CUDNN_ATTR_OPERATION_NORM_FWD_INV_VARIANCE_DESC, f32, column, column_strides);
                 });
}

Call layer_norm_backward(DType type, const void* x, const float* weight, const float* mean, const float* rstd,
                         const void* dy, void* dx, float* dweight, float* dbias, int64_t rows, int64_t cols) {
  const Sizes all = {rows, cols, 1, 1}, all_strides = {cols, 1, cols, cols};
  const Sizes row = {1, cols, 1, 1}, column = {rows, 1, 1, 1}, column_strides = {1, 1, 1, 1};
  const cudnnDataType_t t = cudnn_type(type), f32 = CUDNN_DATA_FLOAT;
  return planned(CUDNN_BACKEND_OPERATION_NORM_BACKWARD_DESCRIPTOR, type, {rows, cols},
                 {x, dy, weight, mean, rstd, dx, dweight, dbias}, [&](Graph& graph) {
                   graph.choice(CUDNN_ATTR_OPERATION_NORM_BWD_MODE, CUDNN_TYPE_NORM_MODE, CUDNN_LAYER_NORM);
                   graph.tensor(CUDNN_ATTR_OPERATION_NORM_BWD_XDESC, t, all, all_strides);
                   graph.tensor(CUDNN_ATTR_OPERATION_NORM_BWD_DYDESC, t, all, all_strides);
                   graph.tensor(CUDNN_ATTR_OPERATION_NORM_BWD_SCALE_DESC, f32, row, all_strides);
                   graph.tensor(CUDNN_ATTR_OPERATION_NORM_BWD_MEAN_DESC, f32, column, column_strides);
                   graph.tensor(CUDNN_ATTR_OPERATION_NORM_BWD_INV_VARIANCE_DESC, f32, column, column_strides);
                   graph.tensor(CUDNN_ATTR_OPERATION_NORM_BWD_DXDESC, t, all, all_strides);
                   graph.tensor(CUDNN_ATTR_OPERATION_NORM_BWD_DSCALE_DESC, f32, row, all_strides);
                   graph.tensor(CUDNN_ATTR_OPERATION_NORM_BWD_DBIAS_DESC, f32, row, all_strides);
                 });
}

#if CUDNN_VERSION >= 91300  // the first with attention as one operation
Call attention(DType type, int64_t sequences, int64_t heads, int64_t width, int64_t queries, int64_t keys,
               const void* q, const void* k, const void* v, void* o) {
  if (type == DType::f32) return {};
  const int64_t d = heads * width;
  const Sizes asking = {sequences, heads, queries, width}, asking_strides = {queries * d, width, d, 1};
  const Sizes asked = {sequences, heads, keys, width}, asked_strides = {keys * d, width, d, 1};
  const cudnnDataType_t t = cudnn_type(type);
  return planned(CUDNN_BACKEND_OPERATION_SDPA_FWD_DESCRIPTOR, type, {sequences, heads, width, queries, keys},
                 {q, k, v, o}, [&](Graph& graph) {
                   graph.tensor(CUDNN_ATTR_OPERATION_SDPA_FWD_QDESC, t, asking, asking_strides);
                   graph.tensor(CUDNN_ATTR_OPERATION_SDPA_FWD_KDESC, t, asked, asked_strides);
                   graph.tensor(CUDNN_ATTR_OPERATION_SDPA_FWD_VDESC, t, asked, asked_strides);
                   graph.tensor(CUDNN_ATTR_OPERATION_SDPA_FWD_ODESC, t, asking, asking_strides);
                   graph.number(CUDNN_ATTR_OPERATION_SDPA_FWD_SCALEDESC, 1 / std::sqrt(float(width)));
                 });
}
#else
Call attention(DType, int64_t, int64_t, int64_t, int64_t, int64_t, const void*, const void*, const void*, void*) {
  return {};
}
#endif

#else
std::string cudnn_version() { return ""; }
Call softmax(DType, bool, const void*, void*, int64_t, int64_t) { return {}; }
Call softmax_backward(DType, bool, const void*, const void*, void*, int64_t, int64_t) { return {}; }
Call layer_norm(DType, const void*, const float*, const float*, void*, float*, float*, int64_t, int64_t) { return {}; }
Call layer_norm_backward(DType, const void*, const float*, const float*, const float*, const void*, void*, float*,
                         float*, int64_t, int64_t) {
  return {};
}
Call attention(DType, int64_t, int64_t, int64_t, int64_t, int64_t, const void*, const void*, const void*, void*) {
  return {};
}
#endif

}  // namespace tools::bench::peer
