#pragma once
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "autograd/variable.h"

namespace autograd {

/// The worst entry that a gradient check found.
struct GradcheckReport {
  double worst_excess = 0;  ///< largest |analytic − numeric| / (1e-7 + 1e-5·|numeric|): at most 1 when all is well
  double worst_difference = 0;
  int64_t entries = 0;  ///< Jacobian entries compared
  std::string worst;    ///< where: `input 1[4], output [2]: analytic 0.5, numeric 0.25`
  bool ok() const { return entries > 0 && worst_excess <= 1; }
};

using Function = std::function<Variable(std::span<const Variable>)>;

/// Compares the full Jacobian of f at f64 inputs with central differences:
///   numeric_ij = (f_i(x + h e_j) − f_i(x − h e_j)) / 2h,  h = 1e-5 max(1, |x_j|)
/// once per output i with backward from the unit vector e_i.
GradcheckReport gradcheck(const Function& f, std::span<const Tensor> inputs);

}  // namespace autograd
