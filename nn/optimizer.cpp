#include "nn/optimizer.h"

#include <cstddef>

#include "kernels/reduce.h"
#include "tensor/graph.h"

namespace nn {

/// What goes from step to step besides moments; `step.rate` is where a State begins.
struct Adam::State {
  kernels::AdamStep step;
  kernels::LossScale progress;
  double squares = 0;
};

Adam::Adam(Parameters parameters, Options options) : parameters_(std::move(parameters)) {
  if (!parameters_.empty()) device_ = parameters_.front().variable.value().device();
  for (const Parameter& parameter : parameters_) {
    tensor::check(parameter.variable.dtype() == parameters_.front().variable.dtype(),
                  "adam: {} is {}, expected {} as the first", parameter.name,
                  tensor::name_of(parameter.variable.dtype()), tensor::name_of(parameters_.front().variable.dtype()));
    first_.push_back(tensor::zeros_like(parameter.variable.value()));
    second_.push_back(tensor::zeros_like(parameter.variable.value()));
  }
  State state;
  state.step.beta1 = options.beta1, state.step.beta2 = options.beta2, state.step.epsilon = options.epsilon;
  state.step.l2 = options.l2, state.step.weight_decay = options.weight_decay;
  state.progress = options.scale;
  state_ = Tensor(Shape{int64_t(sizeof state)}, DType::u8, device_);
  tensor::transfer(state_.raw(), device_, &state, tensor::Device::cpu, sizeof state);
}

Adam::State& Adam::state_there() const { return *static_cast<State*>(state_.raw()); }

void Adam::step(double rate, double clip) { step(tensor::full(Shape{1}, DType::f64, rate, device_), clip); }

void Adam::step(const Tensor& rate, double clip) {
  static_assert(offsetof(State, step) == 0 && offsetof(kernels::AdamStep, rate) == 0);
  const tensor::Range range(device_, "adam");
  tensor::check(rate.elements() == 1 && rate.device() == device_, "adam: expected one rate on {}, found {} on {}",
                tensor::name_of(device_), rate.shape(), tensor::name_of(rate.device()));
  tensor::transfer(state_.raw(), device_, rate.data<double>(), device_, sizeof(double));
  if (!parameters_.empty()) {
    tensor::dispatch(tensor::floating, parameters_.front().variable.value(),
                     [&](auto backend, auto type) { step_all<decltype(type)>(backend, clip); });
  }
  clear_gradients(parameters_);
}

template <class T, class Backend>
void Adam::step_all(Backend backend, double clip) {
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
  State& state = state_there();
  if constexpr (std::is_same_v<Backend, kernels::Cpu>) {
    state.squares = 0;
    for (const auto& t : tensors) state.squares += kernels::sum_of_squares(backend, t.gradient, t.n);
    kernels::prepare(clip, state.squares, state.progress, state.step);
    if (!state.step.skip) kernels::adam(backend, &state.step, tensors.data(), count);
  } else {
    const Tensor here(Shape{count * int64_t(sizeof tensors[0])}, DType::u8);
    std::copy(tensors.begin(), tensors.end(), static_cast<kernels::AdamTensor<T>*>(here.raw()));
    const Tensor list = tensor::constant(here, device_);
    const auto* const on_device = static_cast<const kernels::AdamTensor<T>*>(list.raw());
    kernels::gradient_squares(backend, on_device, count, total, &state.squares);
    kernels::prepare_step(backend, clip, &state.squares, &state.progress, &state.step);
    kernels::adam(backend, &state.step, on_device, count, total);
  }
}

Tensor Adam::loss_gradient(const Tensor& loss, double share) const {
  Tensor gradient = tensor::empty_like(loss);
  tensor::dispatch(tensor::floating, gradient, [&](auto backend, auto type) {
    kernels::loss_gradient(backend, share, &state_there().progress, gradient.data<decltype(type)>());
  });
  return gradient;
}

kernels::LossScale Adam::progress() const {
  kernels::LossScale result;
  tensor::transfer(&result, tensor::Device::cpu, &state_there().progress, device_, sizeof result);
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
    const auto load = [&](const char* prefix, const Tensor& moment, double least) {
      tensor::copy(moment, stored_values(file, prefix + parameters_[i].name, moment.shape(), moment.dtype(), least));
    };
    load("first.", first_[i], std::numeric_limits<double>::lowest());
    load("second.", second_[i], 0);
  }
  tensor::transfer(&state_there().progress, device_, &progress, tensor::Device::cpu, sizeof progress);
}

void clear_gradients(const Parameters& parameters) {
  for (const Parameter& parameter : parameters) parameter.variable.clear_gradient();
}

}  // namespace nn
