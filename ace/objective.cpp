#include "ace/objective.h"

namespace ace {

using autograd::add;
using autograd::mean;
using autograd::scale;
using tensor::DType;
using tensor::Shape;

namespace {

/// identifiers [B, J] as targets [J, B].
Tensor targets_of(const Tensor& identifiers) {
  const int64_t count = identifiers.size(0), j = identifiers.size(1);
  Tensor result(Shape{j, count}, DType::i32);
  for (int64_t b = 0; b < count; ++b) {
    for (int64_t p = 0; p < j; ++p) {
      result.data<int32_t>()[p * count + b] = identifiers.data<int32_t>()[b * j + p];
    }
  }
  return result;
}

void accumulate(Variable& sum, const Variable& x) { sum = sum.defined() ? add(sum, x) : x; }

Objective loss_of(const std::vector<Variable>& logits, const Tensor& targets, double omega, bool two_passes) {
  const double share = 1.0 / double(logits.size());
  Objective result;
  for (size_t p = 0; p < logits.size(); ++p) {
    const Tensor at = targets.range(int64_t(p), int64_t(p) + 1).reshape({targets.size(1)});
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

}  // namespace

Objective objective_of(const std::vector<Variable>& logits, const Tensor& identifiers, double omega, bool two_passes) {
  return loss_of(logits, targets_of(identifiers), omega, two_passes);
}

Pairs pairs_of(const Retriever& model, std::span<const std::vector<int32_t>> texts, const Tensor& identifiers,
               bool two_passes) {
  std::vector<std::vector<int32_t>> copies(texts.begin(), texts.end());
  Tensor repeated = identifiers;
  if (two_passes) {
    copies.insert(copies.end(), texts.begin(), texts.end());
    repeated = Tensor(Shape{2 * identifiers.size(0), identifiers.size(1)}, DType::i32);
    const auto from = identifiers.values<int32_t>();
    std::copy(from.begin(), from.end(), repeated.data<int32_t>());
    std::copy(from.begin(), from.end(), repeated.data<int32_t>() + from.size());
  }
  Pairs pairs{nn::TextBatch::pack(copies), {}, targets_of(identifiers)};
  if (model.device() != tensor::Device::cpu) pairs.text = pairs.text.padded();
  pairs.inputs = model.inputs(repeated, pairs.text.sequences.count());
  return pairs;
}

Objective objective(const Retriever& model, const Pairs& pairs, double omega, nn::Pass& pass) {
  const Retriever::Memory memory = model.encode(pairs.text, pass);
  return loss_of(model.read(memory, pairs.inputs, pass), pairs.targets, omega, omega > 0);
}

Objective objective(const Retriever& model, std::span<const std::vector<int32_t>> texts, const Tensor& identifiers,
                    double omega, nn::Pass& pass) {
  return objective(model, pairs_of(model, texts, identifiers, omega > 0), omega, pass);
}

}  // namespace ace
