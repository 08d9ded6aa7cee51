#include "kernels/embedding.h"

#include "autograd/functions.h"
#include "autograd/indices.h"

namespace autograd {

using kernels::Accumulator;
using tensor::activations;
using tensor::check;
using tensor::dispatch;

namespace {
tensor::Shape with_width(const tensor::Shape& ids, int64_t width) {
  std::vector<int64_t> sizes(ids.begin(), ids.end());
  sizes.push_back(width);
  return tensor::Shape(sizes);
}
}  // namespace

/// y_i = c · table[id_i];  dtable[v] = c Σ_{i: id_i = v} dy_i.   table [V, d], ids [...], y [..., d]
Variable embedding(const Variable& table, const Tensor& ids, double factor, std::optional<tensor::DType> type) {
  check(table.value().rank() == 2, "embedding: expected a table [V, d], found {}", table.shape());
  check_indices("embedding: id", ids, table.size(0));
  const int64_t width = table.size(1);
  const Tensor at = ids.to(table.value().device());
  Tensor y(with_width(ids.shape(), width), type.value_or(table.dtype()), table.value().device());
  dispatch(activations, y, [&](auto backend, auto type) {
    using T = decltype(type);
    using A = Accumulator<T>;
    kernels::embedding(backend, table.data<A>(), at.data<int32_t>(), y.data<T>(), at.elements(), width, A(factor));
  });
  return record(Op::embedding, y, {table},
                [at, entries = table.size(0), width, factor](const Tensor& dy, Gradients dx) {
                  dispatch(activations, dy, [&](auto backend, auto type) {
                    using T = decltype(type);
                    using A = Accumulator<T>;
                    kernels::embedding_backward(backend, dy.data<T>(), at.data<int32_t>(), dx[0].sparse<A>(),
                                                at.elements(), entries, width, A(factor));
                  });
                });
}

}  // namespace autograd
