#include "nn/module.h"

#include <cmath>
#include <set>

namespace nn {

using tensor::check;

std::string join(const std::string& name, std::string_view part) {
  return name.empty() ? std::string(part) : fmt::format("{}.{}", name, part);
}

Initializer Initializer::blank(DType type) {
  Initializer result(0, type);
  result.blank_ = true;
  return result;
}

Variable Initializer::xavier_uniform(int64_t out, int64_t in) {
  if (blank_) return constant({out, in}, 0);
  const double a = std::sqrt(6.0 / double(in + out));
  Tensor value(Shape{out, in}, DType::f64);
  for (double& x : value.values<double>()) x = a * (2 * random_.uniform() - 1);
  return Variable(value.to(type_), true);
}

Variable Initializer::constant(Shape shape, double value) { return Variable(tensor::full(shape, type_, value), true); }

int64_t count(const Parameters& parameters) {
  int64_t total = 0;
  for (const Parameter& parameter : parameters) total += parameter.variable.elements();
  return total;
}

Tensor stored_values(const tensor::Safetensors& file, const std::string& name, const Shape& shape, DType type,
                     double least) {
  const Tensor& stored = file.at(name, shape);
  const Tensor value = stored.dtype() == type ? stored.clone() : stored.to(type);
  const auto check_each = [&](const auto& numbers) {
    for (const double x : numbers) {
      check(std::isfinite(x), "{}: {} holds a value that is not finite", file.origin, name);
      check(x >= least, "{}: {}: expected at least {}, found {}", file.origin, name, least, x);
    }
  };
  type == DType::f64 ? check_each(value.values<double>()) : check_each(value.values<float>());
  return value;
}

void load(const Parameters& parameters, const tensor::Safetensors& file) {
  for (const Parameter& parameter : parameters) {
    const Tensor value = stored_values(file, parameter.name, parameter.variable.shape(), parameter.variable.dtype());
    parameter.variable.set_value(value.to(parameter.variable.value().device()));
  }
  std::set<std::string_view> known;
  for (const Parameter& parameter : parameters) known.insert(parameter.name);
  for (const auto& [name, value] : file.tensors) {
    check(known.contains(name), "{}: tensor \"{}\" has no place in this model of {} tensors", file.origin,
          tensor::one_line(name), parameters.size());
  }
}

std::map<std::string, Tensor> to_tensors(const Parameters& parameters) {
  std::map<std::string, Tensor> result;
  for (const Parameter& parameter : parameters) {
    result[parameter.name] = parameter.variable.value().to(tensor::Device::cpu);
  }
  return result;
}

void move(const Parameters& parameters, tensor::Device device) {
  for (const Parameter& p : parameters) {
    p.variable.clear_gradient();
    p.variable.set_value(p.variable.value().to(device));
  }
}

void freeze(const Parameters& parameters, Precision precision) {
  for (const Parameter& p : parameters) autograd::freeze_weight(p.variable, p.inputs, precision);
}

}  // namespace nn
