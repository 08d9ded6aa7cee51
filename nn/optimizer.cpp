#include "nn/optimizer.h"

#include <cmath>

#include "kernels/reduce.h"

namespace nn {

namespace {

/// What lies in the memory of a device from step to step.
struct There {
  kernels::LossScale progress;
  kernels::AdamStep step;
  double squares;
};

tensor::Device device_of(const Parameters& parameters) {
  return parameters.empty() ? tensor::Device::cpu : parameters.front().variable.value().device();
}

}  // namespace

Adam::Adam(Parameters parameters, Options options)
    : parameters_(std::move(parameters)), options_(options), progress_(options.scale) {
  for (const Parameter& parameter : parameters_) {
    tensor::check(parameter.variable.dtype() == parameters_.front().variable.dtype(),
                  "adam: {} is {}, expected {} as the first", parameter.name,
                  tensor::name_of(parameter.variable.dtype()), tensor::name_of(parameters_.front().variable.dtype()));
    first_.push_back(tensor::zeros_like(parameter.variable.value()));
    second_.push_back(tensor::zeros_like(parameter.variable.value()));
  }
}

void Adam::step(double rate, double clip) {
  const tensor::Range range(device_of(parameters_), "adam");
  kernels::AdamStep settings;
  settings.rate = rate;
  settings.beta1 = options_.beta1, settings.beta2 = options_.beta2, settings.epsilon = options_.epsilon;
  settings.l2 = options_.l2, settings.weight_decay = options_.weight_decay;
  if (!parameters_.empty()) {
    tensor::dispatch(tensor::floating, parameters_.front().variable.value(),
                     [&](auto backend, auto type) { step_all<decltype(type)>(backend, settings, clip); });
  }
  clear_gradients(parameters_);
}

template <class T, class Backend>
void Adam::step_all(Backend backend, kernels::AdamStep step, double clip) {
  std::vector<kernels::AdamTensor<T>> tensors;
  int64_t total = 0;
  for (size_t i = 0; i < parameters_.size(); ++i) {
    const Tensor &value = parameters_[i].variable.value(), &gradient = parameters_[i].variable.gradient();
    if (!gradient.defined()) continue;
    total += value.elements();
    const Tensor rounded = parameters_[i].variable.rounded();
    tensors.push_back({value.data<T>(), gradient.data<T>(), first_[i].data<T>(), second_[i].data<T>(), value.elements(),
                       rounded.raw(), rounded.dtype() == DType::bf16});
  }
  const int64_t count = int64_t(tensors.size());
  if constexpr (std::is_same_v<Backend, kernels::Cpu>) {
    double squares = 0;
    for (const auto& t : tensors) squares += kernels::sum_of_squares(backend, t.gradient, t.n);
    kernels::prepare(clip, 1, squares, progress_, step);
    if (!step.skip) kernels::adam(backend, &step, tensors.data(), count);
  } else {
    const tensor::Device device = device_of(parameters_);
    const int64_t bytes = count * int64_t(sizeof tensors[0]);
    if (!there_.defined()) {
      there_ = Tensor(Shape{int64_t(sizeof(There))}, DType::u8, device);
      tensor::transfer(there_.raw(), device, &progress_, tensor::Device::cpu, sizeof progress_);
    }
    There* const there = static_cast<There*>(there_.raw());
    const Tensor list(Shape{bytes}, DType::u8, device);
    tensor::transfer(list.raw(), device, tensors.data(), tensor::Device::cpu, bytes);
    tensor::transfer(&there->step, device, &step, tensor::Device::cpu, sizeof step);
    const auto* const on_device = static_cast<const kernels::AdamTensor<T>*>(list.raw());
    kernels::gradient_squares(backend, on_device, count, total, &there->squares);
    kernels::prepare_step(backend, clip, 1, &there->squares, &there->progress, &there->step);
    kernels::adam(backend, &there->step, on_device, count, total);
  }
}

kernels::LossScale Adam::progress() const {
  if (!there_.defined()) return progress_;
  kernels::LossScale result;
  tensor::transfer(&result, tensor::Device::cpu, there_.raw(), there_.device(), sizeof result);
  return result;
}

std::map<std::string, Tensor> Adam::state() const {
  std::map<std::string, Tensor> result;
  for (size_t i = 0; i < parameters_.size(); ++i) {
    result["first." + parameters_[i].name] = first_[i].to(tensor::Device::cpu);
    result["second." + parameters_[i].name] = second_[i].to(tensor::Device::cpu);
  }
  return result;
}

void Adam::load(const tensor::Safetensors& file, const kernels::LossScale& progress) {
  for (size_t i = 0; i < parameters_.size(); ++i) {
    first_[i] = file.at("first." + parameters_[i].name, first_[i].shape()).to(first_[i].dtype()).to(first_[i].device());
    second_[i] =
        file.at("second." + parameters_[i].name, second_[i].shape()).to(second_[i].dtype()).to(second_[i].device());
  }
  progress_ = progress;
  there_ = Tensor();
}

void clear_gradients(const Parameters& parameters) {
  for (const Parameter& parameter : parameters) parameter.variable.clear_gradient();
}

}  // namespace nn
