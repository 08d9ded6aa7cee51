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
  };
  Adam(Parameters parameters, Options options);
  explicit Adam(Parameters parameters) : Adam(std::move(parameters), Options()) {}
  /// One step at `rate` with the parameters' gradients times `gradient_scale`; a parameter without gradient stays, and
  /// so do its moments. Gradients are cleared.
  void step(double rate, double gradient_scale = 1);
  int64_t steps() const { return steps_; }

  /// Moments as tensors `first.<name>`, `second.<name>`, for a checkpoint; load restores them and the step count.
  std::map<std::string, Tensor> state() const;
  void load(const tensor::Safetensors& file, int64_t steps);

 private:
  /// The step of the parameters of type T.
  template <class T>
  void step_all(const kernels::AdamStep& settings);
  Parameters parameters_;
  std::vector<Tensor> first_, second_;
  Options options_;
  int64_t steps_ = 0;
};

/// √(Σ g²) over all gradients, summed in f64.
double gradient_norm(const Parameters& parameters);
/// The factor that brings a norm down to `limit`: min(1, limit / norm); 1 when limit is 0.
double clip_factor(double norm, double limit);
void clear_gradients(const Parameters& parameters);

}  // namespace nn
