#include "ace/objective.h"

namespace ace {

using autograd::add;
using autograd::mean;
using autograd::scale;
using tensor::DType;
using tensor::Shape;

namespace {

/// Column p of identifiers: i32 [B].
Tensor targets(const Tensor& identifiers, int64_t p) {
  const int64_t j = identifiers.size(1);
  Tensor result(Shape{identifiers.size(0)}, DType::i32);
  for (int64_t b = 0; b < result.elements(); ++b) {
    result.data<int32_t>()[b] = identifiers.data<int32_t>()[b * j + p];
  }
  return result;
}

void accumulate(Variable& sum, const Variable& x) { sum = sum.defined() ? add(sum, x) : x; }

}  // namespace

Objective objective_of(const std::vector<Variable>& logits, const Tensor& identifiers, double omega, bool two_passes) {
  const double share = 1.0 / double(logits.size());
  Objective result;
  for (size_t p = 0; p < logits.size(); ++p) {
    const Tensor at = targets(identifiers, int64_t(p));
    if (two_passes) {
      const autograd::RDrop rows = autograd::r_drop(logits[p], at, omega);
      accumulate(result.loss, scale(mean(rows.loss), share));
      accumulate(result.nll, scale(mean(Variable(rows.nll)), share));
      accumulate(result.kl, scale(mean(Variable(rows.kl)), share));
    } else {
      accumulate(result.loss, scale(mean(autograd::cross_entropy(logits[p], at)), share));
    }
  }
  if (!two_passes) result.nll = result.loss;
  return result;
}

Objective objective(const Retriever& model, std::span<const std::vector<int32_t>> texts, const Tensor& identifiers,
                    double omega, nn::Pass& pass) {
  const bool two = omega > 0;
  std::vector<std::vector<int32_t>> copies(texts.begin(), texts.end());
  if (two) copies.insert(copies.end(), texts.begin(), texts.end());
  Tensor repeated = identifiers;
  if (two) {
    repeated = Tensor(Shape{2 * identifiers.size(0), identifiers.size(1)}, DType::i32);
    const auto from = identifiers.values<int32_t>();
    std::copy(from.begin(), from.end(), repeated.data<int32_t>());
    std::copy(from.begin(), from.end(), repeated.data<int32_t>() + from.size());
  }
  const Retriever::Memory memory = model.encode(nn::TextBatch::pack(copies), pass);
  return objective_of(model.forward(memory, repeated, pass), identifiers, omega, two);
}

}  // namespace ace
