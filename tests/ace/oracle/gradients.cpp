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

}  // namespace

void compare_gradients(const Check& check, const std::string& prefix, const nn::Parameters& parameters) {
  const double of_all = largest_gradient(check, prefix, parameters);
  for (const auto& parameter : parameters) {
    const std::string name = prefix + parameter.name;
    const Tensor& theirs = check.folder.values.at(name);
    const Tensor& made = parameter.variable.gradient();
    const Tensor ours = made.defined() ? made : tensor::zeros_like(parameter.variable.value());
    const double scale = vanishes(name, theirs, of_all) ? of_all : 0;
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
