#pragma once
#include <cstdint>
#include <functional>
#include <string>

#include "tensor/dtype.h"

/// The same operations by NVIDIA's libraries, to be timed beside ours: cublasLt's products with whatever algorithm it
/// likes best (ours take those alone whose sums have a fixed order), and cuDNN's softmax, layer norm and attention,
/// where the build found cuDNN. Each gives the call to time, queued on the stream of our kernels, or an empty function
/// where the library or an algorithm for the shape is not to be had. All pointers are the device's. Defined where there
/// is CUDA.
namespace tools::bench::peer {

using Call = std::function<void()>;
using tensor::DType;

/// "9.19" of the cuDNN that was loaded, or "" without it.
std::string cudnn_version();

/// C [m, n] = A B in row-major order; `left`: A is stored as [k, m]; `right`: B is stored as [n, k].
Call product(DType type, int64_t m, int64_t n, int64_t k, const void* a, bool left, const void* b, bool right, void* c);

Call softmax(DType type, bool log, const void* x, void* y, int64_t rows, int64_t cols);
Call softmax_backward(DType type, bool log, const void* y, const void* dy, void* dx, int64_t rows, int64_t cols);

/// weight, bias, mean, rstd and the gradients of the first two in f32.
Call layer_norm(DType type, const void* x, const float* weight, const float* bias, void* y, float* mean, float* rstd,
                int64_t rows, int64_t cols);
Call layer_norm_backward(DType type, const void* x, const float* weight, const float* mean, const float* rstd,
                         const void* dy, void* dx, float* dweight, float* dbias, int64_t rows, int64_t cols);

/// Forward without a mask, sequences of one length; q, k, v and o are [sequences · length, heads · width]; 16 bits
/// alone.
Call attention(DType type, int64_t sequences, int64_t heads, int64_t width, int64_t queries, int64_t keys,
               const void* q, const void* k, const void* v, void* o);

}  // namespace tools::bench::peer
