#include "comparison.h"

#include <cmath>

namespace oracle {

namespace {

/// The largest finite |x| among the elements that count.
double largest(const Tensor& x, const std::vector<bool>& where) {
  double result = 0;
  for (int64_t i = 0; i < x.elements(); ++i) {
    const double v = std::abs(x.data<double>()[i]);
    if ((where.empty() || where[size_t(i)]) && std::isfinite(v)) result = std::max(result, v);
  }
  return result;
}

}  // namespace

void Comparison::compare(const std::string& name, const Tensor& ours, const Tensor& theirs, double limit, double scale,
                         const std::vector<bool>& where) {
  if (ours.elements() != theirs.elements()) {
    return require(name, false, fmt::format("expected {}, found {}", theirs.shape(), ours.shape()));
  }
  const Tensor a = ours.to(DType::f64), b = theirs.to(DType::f64);
  if (scale == 0) scale = largest(b, where);
  if (scale < 1e-12) scale = 1;
  double difference = 0;
  int64_t at = 0;
  for (int64_t i = 0; i < a.elements(); ++i) {
    const double x = a.data<double>()[i], y = b.data<double>()[i];
    if ((!where.empty() && !where[size_t(i)]) || x == y) continue;
    const double d = std::abs(x - y) / scale;
    if (!(d <= difference)) difference = d, at = i;  // NaN counts as a difference
    if (std::isnan(d)) break;
  }
  if (!(difference / limit <= worst_)) worst_ = difference / limit, worst_difference_ = difference, worst_name_ = name;
  require(name, difference <= limit,
          fmt::format("relative difference {:.3g}, limit {:.0e}: element {} is {:.17g}, expected {:.17g}", difference,
                      limit, at, a.data<double>()[at], b.data<double>()[at]));
}

void Comparison::require(const std::string& name, bool equal, const std::string& difference) {
  compared_.insert(name);
  seen_.insert(name);
  if (!equal) failures_.push_back(fmt::format("{}: {}", tensor::one_line(name), difference));
}

void Comparison::skip(const std::string& name, const std::string& reason) {
  if (seen_.insert(name).second) ++skipped_[reason];
}

void Comparison::finish() {
  for (const auto& [name, value] : values_.tensors) {
    if (!seen_.contains(name)) failures_.push_back(fmt::format("{}: was not compared", tensor::one_line(name)));
  }
  if (compared_.empty()) failures_.push_back("nothing was compared");
}

std::string Comparison::worst() const {
  return worst_name_.empty() ? "nothing" : fmt::format("{:.1e} in {}", worst_difference_, worst_name_);
}

}  // namespace oracle
