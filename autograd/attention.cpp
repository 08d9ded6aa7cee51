#include "kernels/attention.h"

#include <algorithm>

#include "autograd/functions.h"
#include "autograd/indices.h"
#include "tensor/graph.h"

namespace autograd {

using tensor::activations;
using tensor::check;
using tensor::dispatch;

namespace {

/// Offsets must climb from 0 to the number of rows, else a kernel would read beyond the buffer.
void check_offsets(const char* what, const Tensor& offsets, int64_t rows) {
  if (offsets.device() != tensor::Device::cpu) return;
  const std::span<const int32_t> at = offsets.values<int32_t>();
  check(!at.empty() && at.front() == 0 && at.back() == rows && std::is_sorted(at.begin(), at.end()),
        "attention: the {} offsets must climb from 0 to the {} rows", what, rows);
}

kernels::AttentionShape shape_of(const Tensor& q, const Tensor& k, const Tensor& q_offsets, const Tensor& k_offsets,
                                 int64_t heads, bool causal) {
  const int64_t d = q.cols();
  return {q_offsets.elements() - 1,
          heads,
          d / heads,
          q_offsets.data<int32_t>(),
          k_offsets.data<int32_t>(),
          causal,
          d,
          d,
          d,
          q.rows(),
          k.rows()};
}

/// A table of pointers in the memory of the device that follows them, and the same for a graph as often as it runs.
template <class T>
Tensor pointers_on(tensor::Device device, const std::vector<const T*>& pointers) {
  static_assert(sizeof(const T*) == sizeof(int64_t));
  const Tensor here(tensor::Shape{int64_t(pointers.size())}, tensor::DType::i64);
  std::copy(pointers.begin(), pointers.end(), static_cast<const T**>(here.raw()));
  return tensor::constant(here, device);
}

/// A key and a value for the queries q: as wide, and of the same type.
void check_pair(const Variable& q, const Variable& k, const Variable& v) {
  check(k.cols() == q.cols() && k.shape() == v.shape() && q.dtype() == k.dtype() && q.dtype() == v.dtype(),
        "attention: expected k and v of one shape and {} columns in {} as q is, found k {} {}, v {} {}", q.cols(),
        tensor::name_of(q.dtype()), tensor::name_of(k.dtype()), k.shape(), tensor::name_of(v.dtype()), v.shape());
}

}  // namespace

/// Per sequence and head: O = softmax(Q Kᵀ / √w) V; formulas of the gradients: kernels/attention.h.
Variable attention(const Variable& q, const Variable& k, const Variable& v, const Tensor& q_begins,
                   const Tensor& k_begins, int64_t heads, bool causal) {
  const int64_t d = q.cols();
  check(heads > 0 && d % heads == 0, "attention: {} heads do not divide width {}", heads, d);
  check_pair(q, k, v);
  check(q_begins.elements() == k_begins.elements(), "attention: {} query and {} key offsets", q_begins.elements(),
        k_begins.elements());
  check_offsets("query", q_begins, q.rows());
  check_offsets("key", k_begins, k.rows());
  const Tensor q_offsets = q_begins.to(q.value().device()), k_offsets = k_begins.to(q.value().device());
  const bool taped = recording({q, k, v});
  Tensor o = empty_like(q.value());
  const Tensor lse(tensor::Shape{taped ? q.rows() : 0, heads}, tensor::accumulator_of(q.dtype()), q.value().device());
  const auto shape = shape_of(q.value(), k.value(), q_offsets, k_offsets, heads, causal);
  dispatch(activations, o, [&](auto backend, auto type) {
    using T = decltype(type);
    kernels::attention(backend, shape, q.data<T>(), k.data<T>(), v.data<T>(), o.data<T>(),
                       taped ? lse.data<kernels::Accumulator<T>>() : nullptr);
  });
  return record(Op::attention, o, {q, k, v},
                [shape, q = q.value(), k = k.value(), v = v.value(), o, lse, q_offsets, k_offsets](const Tensor& dy,
                                                                                                   Gradients dx) {
                  dispatch(activations, dy, [&](auto backend, auto type) {
                    using T = decltype(type);
                    kernels::attention_backward(backend, shape, q.data<T>(), k.data<T>(), v.data<T>(), o.data<T>(),
                                                lse.data<kernels::Accumulator<T>>(), dy.data<T>(), dx[0].into<T>(),
                                                dx[1].into<T>(), dx[2].into<T>());
                  });
                });
}

/// o_r = softmax_p(q_r · k_p / √w) v_p, k_p = keys[p] [at[p, r]], head by head
Variable attention_step(const Variable& q, std::span<const Variable> keys, std::span<const Variable> values,
                        const Tensor& at, int64_t heads) {
  const int64_t rows = q.rows(), d = q.cols(), positions = int64_t(keys.size());
  check(heads > 0 && d % heads == 0, "attention: {} heads do not divide width {}", heads, d);
  check(positions > 0 && keys.size() == values.size() && at.shape() == tensor::Shape{positions, rows},
        "attention: {} keys and {} values for {} rows at {}", keys.size(), values.size(), rows, at.shape());
  for (int64_t p = 0; p < positions; ++p) {
    const Variable &k = keys[size_t(p)], &v = values[size_t(p)];
    check_pair(q, k, v);
    check(!recording({q, k, v}), "attention: a step of decoding has no gradient");
    check_indices("attention: key row", at.range(p, p + 1), k.rows());
  }
  const Tensor rows_at = at.to(q.value().device());
  Tensor o = empty_like(q.value());
  dispatch(activations, o, [&](auto backend, auto type) {
    using T = decltype(type);
    std::vector<const T*> pointers;
    for (const Variable& k : keys) pointers.push_back(k.data<T>());
    for (const Variable& v : values) pointers.push_back(v.data<T>());
    const Tensor there = pointers_on(o.device(), pointers);
    const T* const* const table = static_cast<const T* const*>(there.raw());
    kernels::attention_step(backend, rows, heads, d / heads, positions, rows_at.data<int32_t>(), q.data<T>(), table,
                            table + positions, o.data<T>());
  });
  return Variable(o);
}

}  // namespace autograd
