#include "nn/optimizer.h"

#include <cmath>

#include "kernels/reduce.h"

namespace nn {

Adam::Adam(Parameters parameters, Options options) : parameters_(std::move(parameters)), options_(options) {
  for (const Parameter& parameter : parameters_) {
    first_.push_back(tensor::zeros_like(parameter.variable.value()));
    second_.push_back(tensor::zeros_like(parameter.variable.value()));
  }
}

void Adam::step(double rate, double gradient_scale) {
  ++steps_;
  kernels::AdamStep settings;
  settings.rate = rate;
  settings.beta1 = options_.beta1, settings.beta2 = options_.beta2, settings.epsilon = options_.epsilon;
  settings.l2 = options_.l2, settings.weight_decay = options_.weight_decay;
  settings.bias1 = 1 - std::pow(options_.beta1, double(steps_));
  settings.bias2 = 1 - std::pow(options_.beta2, double(steps_));
  settings.gradient_scale = gradient_scale;
  step_all<float>(settings);
  step_all<double>(settings);
  clear_gradients(parameters_);
}

template <class T>
void Adam::step_all(const kernels::AdamStep& settings) {
  std::vector<kernels::AdamTensor<T>> tensors;
  for (size_t i = 0; i < parameters_.size(); ++i) {
    const Tensor &value = parameters_[i].variable.value(), &gradient = parameters_[i].variable.gradient();
    if (!gradient.defined() || value.dtype() != tensor::dtype_of<T>) continue;
    tensors.push_back(
        {value.data<T>(), gradient.data<T>(), first_[i].data<T>(), second_[i].data<T>(), value.elements()});
  }
  kernels::adam(kernels::Cpu(), &settings, tensors.data(), int64_t(tensors.size()));
}

std::map<std::string, Tensor> Adam::state() const {
  std::map<std::string, Tensor> result;
  for (size_t i = 0; i < parameters_.size(); ++i) {
    result["first." + parameters_[i].name] = first_[i].to(tensor::Device::cpu);
    result["second." + parameters_[i].name] = second_[i].to(tensor::Device::cpu);
  }
  return result;
}

void Adam::load(const tensor::Safetensors& file, int64_t steps) {
  for (size_t i = 0; i < parameters_.size(); ++i) {
    first_[i] = file.at("first." + parameters_[i].name, first_[i].shape()).to(first_[i].dtype()).to(first_[i].device());
    second_[i] =
        file.at("second." + parameters_[i].name, second_[i].shape()).to(second_[i].dtype()).to(second_[i].device());
  }
  steps_ = steps;
}

double gradient_norm(const Parameters& parameters) {
  double total = 0;
  for (const Parameter& parameter : parameters) {
    const Tensor& gradient = parameter.variable.gradient();
    if (!gradient.defined()) continue;
    tensor::dispatch(tensor::floating, gradient, [&](auto backend, auto type) {
      using T = decltype(type);
      total += kernels::sum_of_squares(backend, gradient.data<T>(), gradient.elements());
    });
  }
  return std::sqrt(total);
}

double clip_factor(double norm, double limit) { return limit > 0 && norm > limit ? limit / norm : 1.0; }

void clear_gradients(const Parameters& parameters) {
  for (const Parameter& parameter : parameters) parameter.variable.clear_gradient();
}

}  // namespace nn
