#pragma once
#include <functional>
#include <span>

#include "nn/module.h"

namespace nn {

/// One forward pass through a model: whether and how it drops, and who listens to what it computes.
class Pass {
 public:
  /// Inference: nothing is dropped.
  Pass() = default;
  /// Training: every call of drop() is a site of its own, numbered in call order; masks follow from (seed, step, site).
  /// `device` is where the model is: the two are brought there once.
  Pass(double rate, uint64_t seed, uint64_t step, tensor::Device device = tensor::Device::cpu)
      : Pass(rate, autograd::key_tensor({seed, step}).to(device)) {}
  /// The same from a key (autograd::key_tensor) that is where the model is.
  Pass(double rate, const Tensor& key) : rate_(rate) {
    if (key.device() != tensor::Device::cpu) {
      key_there_ = key;
    } else {
      key_ = {uint64_t(key.data<int64_t>()[0]), uint64_t(key.data<int64_t>()[1])};
    }
  }
  /// Training with given masks (u8, 1 keeps), one per site in call order: to compare with another implementation.
  Pass(double rate, std::span<const Tensor> masks) : rate_(rate), masks_(masks), given_(true) {}

  Variable drop(const Variable& x) { return autograd::dropout(x, site()); }
  /// The next site, for an op that drops as part of what it does.
  autograd::DropoutSite site();
  /// How many sites have dropped so far.
  uint64_t sites() const { return site_; }

  /// Called with the name and value of each intermediate result that the model shows.
  std::function<void(const std::string& name, const Variable& value)> tap;
  void show(const std::string& name, const Variable& value) const {
    if (tap) tap(name, value);
  }

 private:
  double rate_ = 0;
  kernels::DropoutKey key_{};
  Tensor key_there_;
  uint64_t site_ = 0;
  std::span<const Tensor> masks_;
  bool given_ = false;
};

}  // namespace nn
