#pragma once
#include <map>
#include <set>
#include <string>
#include <vector>

#include "tensor/safetensors.h"

namespace oracle {

using tensor::DType;
using tensor::Tensor;

/// How far two tensors may be apart, relative to the largest element of the reference.
struct Limits {
  double value;  ///< values and gradients
  double adam;   ///< what three steps of Adam lead to
};
constexpr Limits limits(DType type) { return type == DType::f64 ? Limits{1e-9, 1e-9} : Limits{1e-5, 1e-4}; }

/// Compares tensors with those of a values file, one by one, and keeps book: what agreed, what did not, what was not
/// looked at.
class Comparison {
 public:
  explicit Comparison(const tensor::Safetensors& values) : values_(values) {}

  /// max |ours − theirs| / scale ≤ limit over elements where `where` is set (all, if empty). scale 0: the largest
  /// |theirs| among them; a tensor that is zero but for rounding errors is compared with scale 1.
  void compare(const std::string& name, const Tensor& ours, const Tensor& theirs, double limit, double scale = 0,
               const std::vector<bool>& where = {});
  /// The same with the tensor of that name from the file.
  void compare(const std::string& name, const Tensor& ours, double limit) {
    compare(name, ours, values_.at(name), limit);
  }
  /// Whole numbers, or anything else that is right or wrong.
  void require(const std::string& name, bool equal, const std::string& difference);
  /// Counts the tensor as looked at, without comparing it.
  void skip(const std::string& name, const std::string& reason);
  /// Fails every tensor of the file that was neither compared nor skipped.
  void finish();

  int64_t compared() const { return int64_t(compared_.size()); }
  const std::vector<std::string>& failures() const { return failures_; }
  const std::map<std::string, int64_t>& skipped() const { return skipped_; }  ///< how many, by reason
  /// The tensor that came closest to its limit: `3.1e-15 in train.kl`.
  std::string worst() const;

 private:
  const tensor::Safetensors& values_;
  std::set<std::string> compared_, seen_;
  std::map<std::string, int64_t> skipped_;
  std::vector<std::string> failures_;
  double worst_ = -1, worst_difference_ = 0;
  std::string worst_name_;
};

}  // namespace oracle
