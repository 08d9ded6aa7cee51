#include "autograd/gradcheck.h"

#include <algorithm>
#include <cmath>

#include "kernels/math.h"

namespace autograd {

using tensor::check;

namespace {

std::vector<Variable> leaves(std::span<const Tensor> inputs) {
  std::vector<Variable> result;
  for (const Tensor& input : inputs) {
    check(input.dtype() == tensor::DType::f64, "gradcheck: expected float64 inputs, found {}",
          tensor::name_of(input.dtype()));
    result.emplace_back(input.clone(), true);
  }
  return result;
}

/// Row i: the gradient of output i with respect to all inputs, one after the other, by backward().
std::vector<std::vector<double>> analytic_jacobian(const Function& f, std::span<const Tensor> inputs) {
  std::vector<std::vector<double>> rows;
  for (int64_t i = 0, outputs = 1; i < outputs; ++i) {
    const std::vector<Variable> x = leaves(inputs);
    const Variable y = f(x);
    outputs = y.elements();
    if (outputs == 0) break;
    const Tensor unit = tensor::zeros_like(y.value());
    unit.data<double>()[i] = 1;
    y.backward(unit);
    std::vector<double>& row = rows.emplace_back();
    for (const Variable& input : x) {
      if (input.gradient().defined()) {
        const auto values = input.gradient().values<double>();
        row.insert(row.end(), values.begin(), values.end());
      } else {
        row.insert(row.end(), size_t(input.elements()), 0.0);
      }
    }
  }
  return rows;
}

}  // namespace

GradcheckReport gradcheck(const Function& f, std::span<const Tensor> inputs) {
  const auto analytic = analytic_jacobian(f, inputs);
  GradcheckReport report;
  const NoGrad none;
  const std::vector<Variable> x = leaves(inputs);
  const auto evaluate = [&] { return f(x).value().clone(); };
  size_t column = 0;
  for (size_t k = 0; k < inputs.size(); ++k) {
    double* values = x[k].value().data<double>();
    for (int64_t j = 0; j < x[k].elements(); ++j, ++column) {
      const double centre = values[j], h = 1e-5 * std::max(1.0, std::abs(centre));
      values[j] = centre + h;
      const Tensor above = evaluate();
      values[j] = centre - h;
      const Tensor below = evaluate();
      values[j] = centre;
      for (size_t i = 0; i < analytic.size(); ++i) {
        const double numeric = (above.data<double>()[i] - below.data<double>()[i]) / (2 * h);
        const double difference = std::abs(analytic[i][column] - numeric);
        const double excess = difference / (1e-7 + 1e-5 * std::abs(numeric));
        ++report.entries;
        if (excess <= report.worst_excess) continue;  // a NaN is not: it becomes the worst
        report.worst_excess = std::isnan(excess) ? kernels::infinity<double> : excess;
        report.worst_difference = difference;
        report.worst =
            fmt::format("input {}[{}], output [{}]: analytic {}, numeric {}", k, j, i, analytic[i][column], numeric);
      }
    }
  }
  return report;
}

}  // namespace autograd
