#include "autograd/variable.h"

#include <algorithm>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_set>
#include <utility>

#include "kernels/copy.h"
#include "tensor/graph.h"

namespace autograd {

using tensor::check;

namespace {
thread_local bool tape_off = false;
}

/// One value of the graph: what made it, from what, and how to go back.
struct Node {
  Tensor value, gradient;
  bool requires_grad = false;
  bool consumed = false;
  bool shared = false;  ///< the gradient shows memory that others may hold: copied before it is added to
  Op op = Op::leaf;
  std::string range;  ///< in which it was recorded
  std::vector<Variable> inputs;
  Backward backward;
  std::shared_ptr<const FrozenWeight> frozen;
  Tensor rounded;

  ~Node() { release(std::move(inputs)); }

  /// Lets go of a chain of nodes one by one: the default destructor would recurse once per op.
  static void release(std::vector<Variable> pending) {
    while (!pending.empty()) {
      Variable last = std::move(pending.back());
      pending.pop_back();
      if (!last.defined() || last.node_.use_count() > 1) continue;
      Node& node = *last.node();
      node.backward = nullptr;
      for (Variable& input : node.inputs) pending.push_back(std::move(input));
      node.inputs.clear();
    }
  }
};

bool Gradient::prepare() const {
  if (!node_->gradient.defined()) {
    node_->gradient = tensor::empty_like(node_->value);
    return false;
  }
  if (node_->shared) {
    node_->gradient = node_->gradient.clone();
    node_->shared = false;
  }
  return true;
}

void Gradient::prepare_zeroed() const {
  if (!prepare()) tensor::fill_zero(node_->gradient);
}

const Tensor& Gradient::buffer() const { return node_->gradient; }

void Gradient::add(const Tensor& contribution) const {
  if (!node_) return;
  check(contribution.elements() == node_->value.elements(), "backward: gradient {} for a value {}",
        contribution.shape(), node_->value.shape());
  if (!node_->gradient.defined()) {
    node_->gradient = contribution.reshape(node_->value.shape());
    node_->shared = true;
    return;
  }
  tensor::dispatch(tensor::activations, contribution, "gradient", [&](auto backend, auto type) {
    using T = decltype(type);
    kernels::copy(backend, contribution.data<T>(), into<T>(), contribution.elements());
  });
}

Variable::Variable(Tensor value, bool requires_grad) : node_(std::make_shared<Node>()) {
  node_->value = std::move(value);
  node_->requires_grad = requires_grad;
}

const Tensor& Variable::value() const {
  check(defined(), "variable: used before it was given a value");
  return node_->value;
}
const Tensor& Variable::gradient() const { return node_->gradient; }
bool Variable::requires_grad() const { return defined() && node_->requires_grad; }
void Variable::clear_gradient() const {
  node_->gradient = Tensor();
  node_->shared = false;
}
void Variable::set_value(Tensor value) const {
  check(node_->op == Op::leaf, "variable: only a leaf's value can be replaced, this is the result of {}",
        name_of(node_->op));
  check(value.shape() == shape() && value.dtype() == dtype(), "variable: expected {} {}, found {} {}",
        tensor::name_of(dtype()), shape(), tensor::name_of(value.dtype()), value.shape());
  node_->value = std::move(value);
  node_->frozen = nullptr;
  node_->rounded = Tensor();
}
Tensor Variable::rounded(tensor::DType type) const {
  static std::mutex mutex;  // a module may be used from several threads
  const std::lock_guard lock(mutex);
  if (!node_->rounded.defined() || node_->rounded.dtype() != type) {
    const tensor::Lasting memory;
    node_->rounded = value().to(type);
  }
  return node_->rounded;
}
Tensor Variable::rounded() const { return node_->rounded; }
void Variable::freeze(std::shared_ptr<const FrozenWeight> form) const {
  check(node_->op == Op::leaf, "variable: only a leaf can be frozen, this is the result of {}", name_of(node_->op));
  node_->requires_grad = false;
  node_->frozen = std::move(form);
}
const FrozenWeight* Variable::frozen() const { return node_->frozen.get(); }

Variable record(Op op, Tensor value, std::span<const Variable> inputs, Backward backward) {
  Variable result(std::move(value));
  bool wanted = false;
  for (const Variable& input : inputs) wanted = wanted || input.requires_grad();
  if (tape_off || !wanted) return result;
  Node& node = *result.node_;
  node.requires_grad = true;
  node.op = op;
  node.range = tensor::Range::innermost();
  node.inputs.assign(inputs.begin(), inputs.end());
  node.backward = std::move(backward);
  return result;
}

bool recording(std::initializer_list<Variable> inputs) {
  if (tape_off) return false;
  for (const Variable& input : inputs) {
    if (input.requires_grad()) return true;
  }
  return false;
}

NoGrad::NoGrad() : before_(tape_off) { tape_off = true; }
NoGrad::~NoGrad() { tape_off = before_; }

namespace {

/// Variables that a gradient reaches from `root`, every one after all that it was made from. Depth first with a stack
/// of our own: a graph may be deeper than the machine's stack.
std::vector<Variable> topological_order(const Variable& root) {
  std::vector<Variable> order;
  std::unordered_set<Node*> seen{root.node()};
  struct Visit {
    Variable variable;
    size_t next;
  };
  std::vector<Visit> stack{{root, 0}};
  while (!stack.empty()) {
    Visit& visit = stack.back();
    const std::vector<Variable>& inputs = visit.variable.node()->inputs;
    if (visit.next == inputs.size()) {
      order.push_back(std::move(visit.variable));
      stack.pop_back();
      continue;
    }
    const Variable& input = inputs[visit.next++];
    if (input.requires_grad() && seen.insert(input.node()).second) stack.push_back({input, 0});
  }
  return order;
}

/// An input that comes twice starts from zeros, so that all its contributions are added: were the first written, it
/// would have to be the first in time, and a kernel's order is its own.
void zero_repeated(const std::vector<Variable>& inputs) {
  for (size_t i = 1; i < inputs.size(); ++i) {
    if (!inputs[i].requires_grad()) continue;
    Node& node = *inputs[i].node();
    const bool before = std::any_of(inputs.begin(), inputs.begin() + int64_t(i),
                                    [&](const Variable& other) { return other.node() == &node; });
    if (before && !node.gradient.defined()) node.gradient = tensor::zeros_like(node.value);
  }
}

}  // namespace

void Variable::backward() const {
  check(elements() == 1, "backward: expected one element, found shape {}; pass a gradient for more", shape());
  backward(tensor::full(shape(), dtype(), 1.0, value().device()));
}

void Variable::backward(const Tensor& gradient) const {
  check(requires_grad(), "backward: the value does not depend on anything that requires a gradient");
  check(gradient.shape() == shape() && gradient.dtype() == dtype(), "backward: expected {} {}, found {} {}",
        tensor::name_of(dtype()), shape(), tensor::name_of(gradient.dtype()), gradient.shape());
  const std::string around = tensor::Range::innermost();
  const tensor::Range range(gradient.device(), "backward");
  std::optional<tensor::Range> module;  // as the forward pass had it, one for all its ops in a row
  std::string name = around;
  Gradient(node_.get()).add(gradient);
  // The order owns what it lists, so a value is freed as soon as it has been gone through.
  for (std::vector<Variable> order = topological_order(*this); !order.empty(); order.pop_back()) {
    Node& node = *order.back().node();
    if (node.op == Op::leaf) continue;
    check(!node.consumed, "backward: called twice through {}; its tape was consumed by the first call",
          name_of(node.op));
    node.consumed = true;
    if (node.range != name) {
      module.reset();
      if (node.range != around) module.emplace(gradient.device(), node.range);
      name = std::move(node.range);
    }
    if (node.gradient.defined()) {  // else nothing that was differentiated depends on it
      std::vector<Gradient> dx;
      dx.reserve(node.inputs.size());
      zero_repeated(node.inputs);
      for (const Variable& input : node.inputs) dx.emplace_back(input.requires_grad() ? input.node() : nullptr);
      node.backward(node.gradient, dx);
    }
    node.backward = nullptr;
    node.inputs.clear();
    node.gradient = Tensor();
    node.shared = false;
  }
}

}  // namespace autograd
