#include "ace/fusion_decoder.h"

#include <array>

namespace ace {

using autograd::add;
using autograd::mul;
using autograd::scale;
using autograd::sigmoid;
using autograd::silu;
using nn::join;

FusionDecoderLayer::FusionDecoderLayer(const FusionOptions& options, nn::Initializer& init)
    : options_(options),
      self_attention_(options.width, options.heads, init),
      self_attention_norm_(options.width, init),
      fusion_norm_(options.width, init),
      feed_forward_(options.width, options.inner, init),
      feed_forward_norm_(options.width, init) {
  const int kinds = options.fusion && !options.shared_attention ? 2 : 1;
  for (int i = 0; i < kinds; ++i) attentions_.emplace_back(options.width, options.heads, init);
  for (int64_t i = 0; options.fusion && i < options.encoder_layers; ++i) {
    gates_.emplace_back(options.width, 2 * options.width, init, 2);
  }
}

FusionDecoderLayer::Memory FusionDecoderLayer::memory(std::span<const Variable> encoded, const Variable& z,
                                                      const Tensor& offsets) const {
  if (!options_.fusion) return {attentions_.front().memory(encoded.back(), offsets), {}};
  Memory memory{attentions_.front().memory(z, offsets), {}};
  for (const Variable& e : encoded) memory.fine.push_back(fine_attention().memory(e, offsets));
  return memory;
}

Variable FusionDecoderLayer::forward(const Variable& y, const Tensor& offsets, const Memory& memory, nn::Pass& pass,
                                     const std::string& name) const {
  const Variable attended = self_attention_.forward(y, offsets, self_attention_.memory(y, offsets), true);
  const Variable own = self_attention_norm_(y, attended, pass);
  pass.show(join(name, "y_self"), own);
  const Variable out = finish(own, offsets, memory, pass, name);
  pass.show(join(name, "y_out"), out);
  return out;
}

Variable FusionDecoderLayer::step(const Variable& y, const Tensor& beams, const Tensor& ancestors, const Memory& memory,
                                  Cache& cache) const {
  cache.keys.push_back(self_attention_.key(y));
  cache.values.push_back(self_attention_.value(y));
  const Variable attended = self_attention_.output(
      autograd::attention_step(self_attention_.query(y), cache.keys, cache.values, ancestors, self_attention_.heads));
  nn::Pass inference;
  return finish(self_attention_norm_(y, attended, inference), beams, memory, inference, "");
}

Variable FusionDecoderLayer::finish(const Variable& y, const Tensor& offsets, const Memory& memory, nn::Pass& pass,
                                    const std::string& name) const {
  const Variable query = attentions_.front().query(y);
  const Variable coarse = attentions_.front().attend(query, offsets, memory.coarse);
  const Variable fused = options_.fusion ? fuse(y, query, coarse, offsets, memory, pass, name) : coarse;
  const Variable x = fusion_norm_(y, fused, pass);
  return feed_forward_norm_(x, feed_forward_(x, pass), pass);
}

Variable FusionDecoderLayer::fuse(const Variable& y, const Variable& coarse_query, const Variable& coarse,
                                  const Tensor& offsets, const Memory& memory, nn::Pass& pass,
                                  const std::string& name) const {
  const Variable query = options_.shared_attention ? coarse_query : fine_attention().query(y);
  std::vector<Variable> c, a;
  for (size_t i = 0; i < memory.fine.size(); ++i) {
    c.push_back(fine_attention().attend(query, offsets, memory.fine[i]));
    a.push_back(gates_[i](std::array{y, c.back()}));
  }
  const auto gate = options_.sigmoid_gate ? kernels::Activation::sigmoid : kernels::Activation::silu;
  const double share = 1.0 / double(options_.encoder_layers);
  const Variable fused = autograd::gated_sum(gate, share, coarse, a, c);
  if (pass.tap) show(coarse, a, c, pass, name);
  return fused;
}

void FusionDecoderLayer::show(const Variable& coarse, std::span<const Variable> a, std::span<const Variable> c,
                              const nn::Pass& pass, const std::string& name) const {
  const autograd::NoGrad none;
  Variable l;
  for (size_t i = 0; i < c.size(); ++i) {
    const Variable alpha = sigmoid(a[i]), term = mul(alpha, c[i]);
    l = i == 0 ? term : add(l, term);
    pass.show(join(name, fmt::format("alpha.{}", i)), alpha);
    pass.show(join(name, fmt::format("Ci.{}", i)), c[i]);
  }
  const Variable gated = options_.sigmoid_gate ? sigmoid(coarse) : silu(coarse);
  pass.show(join(name, "Cc"), coarse);
  pass.show(join(name, "G"), scale(gated, 1.0 / double(options_.encoder_layers)));
  pass.show(join(name, "L"), l);
}

void FusionDecoderLayer::parameters(const std::string& name, nn::Parameters& into) const {
  self_attention_.parameters(join(name, "self_attention"), into);
  self_attention_norm_.parameters(join(name, "self_attention_norm"), into);
  if (attentions_.size() == 2) {
    attentions_[0].parameters(join(name, "coarse_attention"), into);
    attentions_[1].parameters(join(name, "fine_attention"), into);
  } else {
    attentions_[0].parameters(join(name, "cross_attention"), into);
  }
  for (size_t i = 0; i < gates_.size(); ++i) gates_[i].parameters(join(name, fmt::format("gates.{}", i)), into);
  fusion_norm_.parameters(join(name, "fusion_norm"), into);
  feed_forward_.parameters(join(name, "feed_forward"), into);
  feed_forward_norm_.parameters(join(name, "feed_forward_norm"), into);
}

}  // namespace ace
