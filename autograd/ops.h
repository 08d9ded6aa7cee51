#pragma once
#include <array>
#include <string_view>

namespace autograd {

/// Every differentiable op there is, and `leaf`, which none made. Each op has a function of its name in functions.h;
/// all have a row of their name in the test table (tests/autograd/table.h), which a static_assert there compares with
/// these.
enum class Op {
  leaf,
  add,
  sub,
  mul,
  div,
  scale,
  matmul,
  linear,
  relu,
  elu,
  silu,
  sigmoid,
  tanh,
  gelu,
  softmax,
  log_softmax,
  layer_norm,
  embedding,
  dropout,
  concat,
  slice,
  transpose,
  reshape,
  sum,
  mean,
  attention,
  cross_entropy,
  bidirectional_kl,
  squared_error,
  relu_dropout,
  residual_norm,
  gated_sum,
  r_drop,
  count
};

inline constexpr std::array<std::string_view, size_t(Op::count)> op_names = {
    "leaf",          "add",          "sub",           "mul",       "div",       "scale",         "matmul",
    "linear",        "relu",         "elu",           "silu",      "sigmoid",   "tanh",          "gelu",
    "softmax",       "log_softmax",  "layer_norm",    "embedding", "dropout",   "concat",        "slice",
    "transpose",     "reshape",      "sum",           "mean",      "attention", "cross_entropy", "bidirectional_kl",
    "squared_error", "relu_dropout", "residual_norm", "gated_sum", "r_drop"};

constexpr std::string_view name_of(Op op) { return op_names[size_t(op)]; }

}  // namespace autograd
