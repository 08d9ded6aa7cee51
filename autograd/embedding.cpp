#include "kernels/embedding.h"

#include "autograd/functions.h"
#include "autograd/indices.h"

namespace autograd {

using tensor::check;
using tensor::dispatch;
using tensor::floating;

namespace {
tensor::Shape with_width(const tensor::Shape& ids, int64_t width) {
  std::vector<int64_t> sizes(ids.begin(), ids.end());
  sizes.push_back(width);
  return tensor::Shape(sizes);
}
}  // namespace

/// y_i = c · table[id_i];  dtable[v] = c Σ_{i: id_i = v} dy_i.   table [V, d], ids [...], y [..., d]
Variable embedding(const Variable& table, const Tensor& ids, double factor) {
  check(table.value().rank() == 2, "embedding: expected a table [V, d], found {}", table.shape());
  check_indices("embedding: id", ids, table.size(0));
  const int64_t width = table.size(1);
  const Tensor at = ids.to(table.value().device());
  Tensor y(with_width(ids.shape(), width), table.dtype(), table.value().device());
  dispatch(floating, y, [&](auto backend, auto type) {
    using T = decltype(type);
    kernels::embedding(backend, table.data<T>(), at.data<int32_t>(), y.data<T>(), at.elements(), width, T(factor));
  });
  return record(Op::embedding, y, {table},
                [at, entries = table.size(0), width, factor](const Tensor& dy, Gradients dx) {
                  dispatch(floating, dy, [&](auto backend, auto type) {
                    using T = decltype(type);
                    kernels::embedding_backward(backend, dy.data<T>(), at.data<int32_t>(), dx[0].sparse<T>(),
                                                at.elements(), entries, width, T(factor));
                  });
                });
}

}  // namespace autograd
