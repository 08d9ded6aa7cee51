#pragma once
#include "nn/pass.h"

namespace nn {

/// y = f([x_1 … x_n] Wᵀ + b).  weight [out, in], bias [out]; each of the n inputs has in / n columns. `wide`: y is f32
/// whatever the inputs are.
struct Linear {
  Linear(int64_t out, int64_t in, Initializer& init, int64_t inputs = 1)
      : weight(init.xavier_uniform(out, in)),
        bias(init.constant({out}, 0)),
        inputs(inputs),
        precision(init.precision()) {}
  using Activation = std::optional<kernels::Activation>;
  Variable operator()(const Variable& x, Activation f = {}) const { return (*this)(std::span(&x, 1), f); }
  Variable operator()(std::span<const Variable> x, Activation f = {}) const {
    return autograd::linear(x, weight, bias, {f, precision, wide});
  }
  void parameters(const std::string& name, Parameters& into) const;
  Variable weight, bias;
  int64_t inputs;
  Precision precision;
  bool wide = false;
};

/// Layer normalisation of a residual sum, LN(x + drop(branch)), ε = 1e-5.  weight, bias [width]
struct LayerNorm {
  LayerNorm(int64_t width, Initializer& init) : weight(init.constant({width}, 1)), bias(init.constant({width}, 0)) {}
  Variable operator()(const Variable& x, const Variable& branch, Pass& pass) const {
    return autograd::residual_norm(x, branch, weight, bias, 1e-5, pass.site());
  }
  void parameters(const std::string& name, Parameters& into) const;
  Variable weight, bias;
};

/// Rows of a table, where activations start: on a GPU they have the numbers of the model's precision from here on.
/// weight [entries, width]
struct Embedding {
  Embedding(int64_t entries, int64_t width, Initializer& init)
      : weight(init.xavier_uniform(entries, width)), precision(init.precision()) {}
  Variable operator()(const Tensor& ids, double factor = 1) const {
    return autograd::embedding(weight, ids, factor, type());
  }
  /// Of what it gives.
  DType type() const { return autograd::activation_type(weight, precision); }
  void parameters(const std::string& name, Parameters& into) const;
  Variable weight;
  Precision precision;
};

/// down(drop(relu(up(x)))).  up [inner, width], down [width, inner]
struct FeedForward {
  FeedForward(int64_t width, int64_t inner, Initializer& init) : up(inner, width, init), down(width, inner, init) {}
  Variable operator()(const Variable& x, Pass& pass) const {
    const autograd::DropoutSite site = pass.site();
    return down(site.rate > 0 ? autograd::relu_dropout(up(x), site) : up(x, kernels::Activation::relu));
  }
  void parameters(const std::string& name, Parameters& into) const;
  Linear up, down;
};

/// PE[t, 2i] = sin(t / 10000^(2i/d)), PE[t, 2i+1] = cos(same) for the given t (Vaswani et al. 2017, section 3.5).
/// positions i32 [n], below `longest` → a constant [n, width] on the device.
Variable sinusoidal_positions(const Tensor& positions, int64_t longest, int64_t width, DType type,
                              tensor::Device device = tensor::Device::cpu);

}  // namespace nn
