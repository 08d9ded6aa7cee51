#pragma once
#include "kernels/optimizer.h"
#include "nn/module.h"

namespace nn {

/// Adam (Kingma and Ba 2015) and, with decoupled weight decay, AdamW (Loshchilov and Hutter 2019). Formula:
/// kernels/optimizer.h. Moments have the parameters' dtype.
class Adam {
 public:
  struct Options {
    double beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8;
    double l2 = 0;            ///< added to the gradient (Adam)
    double weight_decay = 0;  ///< decoupled (AdamW)
    /// What the loss is multiplied by before backward(), and how that changes; by default it stays 1.
    kernels::LossScale scale{1, 1, 1};
  };
  Adam(Parameters parameters, Options options);
  explicit Adam(Parameters parameters) : Adam(std::move(parameters), Options()) {}
  /// One step at `rate` with the parameters' gradients, divided by the loss's scale and brought down to the norm `clip`
  /// (0: however large). A step whose gradients are not finite is skipped: no parameter and no moment changes. A
  /// parameter without gradient stays, and so do its moments. Gradients are cleared. On a device all this is queued;
  /// the host is not waited for.
  void step(double rate, double clip = 0);
  /// The same from a rate (f64, one element) that is where the parameters are: work for a tensor::Graph.
  void step(const Tensor& rate, double clip);
  /// `share` times the loss's scale: where the gradient of `loss` (one element) begins.
  Tensor loss_gradient(const Tensor& loss, double share = 1) const;
  /// The loss's scale for the next backward(), steps taken, steps skipped; from a device once all queued is done.
  kernels::LossScale progress() const;

  /// Moments as tensors `first.<name>`, `second.<name>`, for a checkpoint; load restores them and the progress.
  /// It fails on a moment that is not finite and on a second one below 0.
  std::map<std::string, Tensor> state() const;
  void load(const tensor::Safetensors& file, const kernels::LossScale& progress);

 private:
  struct State;
  template <class T, class Backend>
  void step_all(Backend backend, double clip);
  State& state_there() const;
  Parameters parameters_;
  tensor::Device device_ = tensor::Device::cpu;
  std::vector<Tensor> first_, second_;
  Tensor state_;  ///< u8, one State, where the parameters are
};

void clear_gradients(const Parameters& parameters);

}  // namespace nn
