#include <cmath>

#include "checks.h"

namespace oracle {

namespace {

double largest(const Tensor& x) {
  double result = 0;
  for (const double v : x.values<double>()) result = std::max(result, std::abs(v));
  return result;
}

/// The largest element of all gradients of a pass.
double largest_gradient(const Check& check, const std::string& prefix, const nn::Parameters& parameters) {
  double result = 0;
  for (const auto& parameter : parameters) {
    result = std::max(result, largest(check.folder.values.at(prefix + parameter.name)));
  }
  return result;
}

/// Whether a gradient is zero in exact arithmetic, so that both sides hold rounding errors only. A key's bias moves all
/// scores of a query alike, which softmax does not see; with one key, or one identifier position, queries and keys do
/// not matter at all. The reference computes in f64, so what is 1e-12 of the pass's largest gradient is such an error.
bool vanishes(const std::string& name, const Tensor& gradient, double largest_of_all) {
  return name.ends_with("key.bias") || largest(gradient) < 1e-12 * largest_of_all;
}

/// What f32 differences are measured against. The gradients of queries and keys go through dP − rowsum(P ⊙ dP), which
/// cancels: what remains of a rounding error is that of the values' gradient beside them. f32 values of a deep model
/// are good to about 2⁻²¹, eight units of rounding; where 2⁻²¹ of the values' gradient is more than the limit allows,
/// it is the limit. (It is for a few tensors, whose gradient is a thousandth of the values'; f64 knows no such rule.)
double f32_scale(const Check& check, const std::string& name, const Tensor& theirs) {
  for (const std::string part : {".query.", ".key."}) {
    const size_t at = name.rfind(part);
    if (at == std::string::npos) continue;
    const Tensor& values = check.folder.values.at(name.substr(0, at) + ".value.weight");
    return std::max(largest(theirs), 0x1p-21 / check.limit().value * largest(values));
  }
  return 0;
}

}  // namespace

void compare_gradients(const Check& check, const std::string& prefix, const nn::Parameters& parameters) {
  const double of_all = largest_gradient(check, prefix, parameters);
  for (const auto& parameter : parameters) {
    const std::string name = prefix + parameter.name;
    const Tensor& theirs = check.folder.values.at(name);
    const Tensor& made = parameter.variable.gradient();
    const Tensor ours = made.defined() ? made : tensor::zeros_like(parameter.variable.value());
    double scale = check.type == DType::f32 ? f32_scale(check, name, theirs) : 0;
    if (vanishes(name, theirs, of_all)) scale = of_all;
    check.result.compare(name, ours, theirs, check.limit().value, scale);
  }
}

void compare_stepped(const Check& check, const std::string& prefix, const std::string& gradient_prefix,
                     const nn::Parameters& parameters) {
  const double of_all = largest_gradient(check, gradient_prefix, parameters);
  for (const auto& parameter : parameters) {
    const std::string name = prefix + parameter.name;
    const Tensor& gradient = check.folder.values.at(gradient_prefix + parameter.name);
    if (vanishes(name, gradient, of_all)) {
      check.result.skip(name, "Adam steps along a gradient that is zero but for rounding errors");
      continue;
    }
    std::vector<bool> where;
    const double most = largest(gradient);
    for (const double g : gradient.values<double>()) where.push_back(std::abs(g) > 1e-4 * most);
    check.result.compare(name, parameter.variable.value(), check.folder.values.at(name), check.limit().adam, 0, where);
  }
}

}  // namespace oracle
