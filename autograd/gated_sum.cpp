#include "kernels/gated_sum.h"

#include "autograd/functions.h"

namespace autograd {

using tensor::activations;
using tensor::check;
using tensor::dispatch;

namespace {

/// Where the numbers of several inputs are.
template <class T>
std::vector<const T*> pointers(std::span<const Tensor> tensors) {
  std::vector<const T*> result;
  for (const Tensor& t : tensors) result.push_back(t.data<T>());
  return result;
}

}  // namespace

/// y = share · f(c) + Σ_k σ(a_k) ⊙ c_k
///   dc = share f′(c) dy   da_k = c_k σ(a_k) (1 − σ(a_k)) dy   dc_k = σ(a_k) dy
Variable gated_sum(kernels::Activation gate, double share, const Variable& c, std::span<const Variable> a,
                   std::span<const Variable> parts) {
  check(gate == kernels::Activation::silu || gate == kernels::Activation::sigmoid,
        "gated_sum: the gate must be silu or sigmoid");
  check(a.size() == parts.size(), "gated_sum: {} gates for {} parts", a.size(), parts.size());
  std::vector<Variable> inputs{c};
  inputs.insert(inputs.end(), a.begin(), a.end());
  inputs.insert(inputs.end(), parts.begin(), parts.end());
  std::vector<Tensor> values;
  for (const Variable& input : inputs) {
    check(input.shape() == c.shape() && input.dtype() == c.dtype(), "gated_sum: {} {} beside {} {}",
          tensor::name_of(input.dtype()), input.shape(), tensor::name_of(c.dtype()), c.shape());
    values.push_back(input.value());
  }
  const int64_t count = int64_t(parts.size());
  Tensor y = empty_like(c.value());
  dispatch(activations, y, [&](auto backend, auto type) {
    using T = decltype(type);
    const auto x = pointers<T>(values);
    kernels::gated_sum(backend, gate, kernels::Accumulator<T>(share), x[0], x.data() + 1, x.data() + 1 + count, count,
                       y.data<T>(), y.elements());
  });
  return record(Op::gated_sum, y, inputs, [gate, share, count, values](const Tensor& dy, Gradients dx) {
    dispatch(activations, dy, [&](auto backend, auto type) {
      using T = decltype(type);
      const auto x = pointers<T>(values);
      std::vector<kernels::Grad<T>> into;
      for (const Gradient& gradient : dx) into.push_back(gradient.into<T>());
      kernels::gated_sum_backward(backend, gate, kernels::Accumulator<T>(share), x[0], x.data() + 1,
                                  x.data() + 1 + count, count, dy.data<T>(), into[0], into.data() + 1,
                                  into.data() + 1 + count, dy.elements());
    });
  });
}

}  // namespace autograd
