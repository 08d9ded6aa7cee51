#pragma once
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "autograd/ops.h"
#include "tensor/dispatch.h"
#include "tensor/tensor.h"

namespace autograd {

using tensor::Tensor;

class Variable;
struct Node;

/// Where one input's gradient goes during a backward step. False when nobody wants it: then it is not computed.
class Gradient {
 public:
  explicit Gradient(Node* node) : node_(node) {}
  explicit operator bool() const { return node_ != nullptr; }
  /// For kernels that cover every element: memory to write when this is the first contribution, to add to when it is
  /// a later one. Each call counts as one contribution. Null when the gradient is not wanted.
  template <class T>
  kernels::Grad<T> into() const {
    if (!node_) return {};
    const bool add = prepare();
    return {buffer().template data<T>(), add};
  }
  /// For kernels that touch some elements only: memory that holds zeros or earlier contributions, always added to.
  template <class T>
  kernels::Grad<T> sparse() const {
    if (!node_) return {};
    prepare_zeroed();
    return {buffer().template data<T>(), true};
  }
  /// A whole tensor as contribution (a view of dy, say): shared when it is the first, added when not.
  void add(const Tensor& contribution) const;

 private:
  bool prepare() const;
  void prepare_zeroed() const;
  const Tensor& buffer() const;
  Node* node_;
};

/// The gradients of an op's inputs, in the order of the inputs.
using Gradients = std::span<const Gradient>;
/// Given dL/dy, contributes dL/dx for every input that wants it.
using Backward = std::function<void(const Tensor& dy, Gradients dx)>;

/// A tensor and how it was made. Copies share one node; the graph lives as long as someone holds its end.
class Variable {
 public:
  Variable() = default;
  /// A constant, or with `requires_grad` a leaf whose gradient is wanted (a parameter).
  explicit Variable(Tensor value, bool requires_grad = false);

  bool defined() const { return node_ != nullptr; }
  const Tensor& value() const;
  /// dL/d(this) after backward(); undefined when there was none.
  const Tensor& gradient() const;
  bool requires_grad() const;
  /// Forgets the gradient, so that the next contribution is the first.
  void clear_gradient() const;
  /// Replaces a leaf's value (same shape and dtype; an optimiser, a checkpoint).
  void set_value(Tensor value) const;
  /// The value in 16 bits, to multiply with: made at the first call and kept until set_value. Who changes the value in
  /// place, as an optimiser does, changes the copy with it: this gives the one there is, or none.
  Tensor rounded(tensor::DType type) const;
  Tensor rounded() const;
  /// Makes a leaf a constant, with another form of its value for those that read it so (autograd::freeze_weight).
  void freeze(std::shared_ptr<const struct FrozenWeight> form) const;
  const FrozenWeight* frozen() const;

  const tensor::Shape& shape() const { return value().shape(); }
  int64_t size(int axis) const { return value().size(axis); }
  int64_t rows() const { return value().rows(); }
  int64_t cols() const { return value().cols(); }
  int64_t elements() const { return value().elements(); }
  tensor::DType dtype() const { return value().dtype(); }
  template <class T>
  const T* data() const {
    return value().data<T>();
  }

  /// Reverse mode: dL/dL = 1 (this must hold one element), then every op backwards in reverse topological order. The
  /// tape is consumed: values saved for it are freed on the way, and a second call is an error. Gradients of leaves
  /// add up over calls until clear_gradient().
  void backward() const;
  /// The same from a given dL/d(this).
  void backward(const Tensor& gradient) const;

  Node* node() const { return node_.get(); }

 private:
  friend Variable record(Op, Tensor, std::span<const Variable>, Backward);
  friend struct Node;
  std::shared_ptr<Node> node_;
};

/// The result of an op. Without a tape (NoGrad, or no input that requires a gradient) it is just the value, and
/// `backward`, with all it holds, is dropped.
Variable record(Op op, Tensor value, std::span<const Variable> inputs, Backward backward);
inline Variable record(Op op, Tensor value, std::initializer_list<Variable> inputs, Backward backward) {
  return record(op, std::move(value), std::span(inputs.begin(), inputs.size()), std::move(backward));
}

/// While one lives, this thread records no tape.
class NoGrad {
 public:
  NoGrad();
  ~NoGrad();
  NoGrad(const NoGrad&) = delete;
  NoGrad& operator=(const NoGrad&) = delete;

 private:
  bool before_;
};
/// Whether ops on these inputs would be recorded: lets an op skip what only its backward needs.
bool recording(std::initializer_list<Variable> inputs);

}  // namespace autograd
