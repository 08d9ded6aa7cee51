#include "ace/objective.h"

namespace ace {

using autograd::add;
using autograd::mean;
using autograd::scale;
using autograd::slice;
using tensor::DType;
using tensor::Shape;

namespace {

/// Column p of identifiers, for one copy of the batch or two: i32 [B] or [2B].
Tensor targets(const Tensor& identifiers, int64_t p, bool two) {
  const int64_t batch = identifiers.size(0), j = identifiers.size(1);
  Tensor result(Shape{two ? 2 * batch : batch}, DType::i32);
  for (int64_t b = 0; b < result.elements(); ++b) {
    result.data<int32_t>()[b] = identifiers.data<int32_t>()[b % batch * j + p];
  }
  return result;
}

}  // namespace

Objective objective_of(const std::vector<Variable>& logits, const Tensor& identifiers, double omega, bool two_passes) {
  const double share = 1.0 / double(logits.size());
  Objective result;
  for (size_t p = 0; p < logits.size(); ++p) {
    // The mean over 2B rows is the mean of the two passes' means.
    const Variable nll = mean(autograd::cross_entropy(logits[p], targets(identifiers, int64_t(p), two_passes)));
    result.nll = p == 0 ? nll : add(result.nll, nll);
    if (!two_passes) continue;
    const int64_t batch = logits[p].rows() / 2;
    const Variable kl =
        mean(autograd::bidirectional_kl(slice(logits[p], 0, 0, batch), slice(logits[p], 0, batch, 2 * batch)));
    result.kl = p == 0 ? kl : add(result.kl, kl);
  }
  result.nll = scale(result.nll, share);
  result.loss = result.nll;
  if (two_passes) {
    result.kl = scale(result.kl, share);
    result.loss = add(result.nll, scale(result.kl, omega));
  }
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
