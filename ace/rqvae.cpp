#include "ace/rqvae.h"

namespace ace {

using autograd::add;
using autograd::mean;
using autograd::scale;
using autograd::squared_error;
using nn::join;
using nn::Variable;

RqVae::RqVae(const std::vector<int64_t>& sizes, int64_t codebooks, int64_t entries, nn::Initializer& init)
    : quantiser_(codebooks, entries, sizes.back(), init) {
  for (size_t i = 0; i + 1 < sizes.size(); ++i) encoder_.emplace_back(sizes[i + 1], sizes[i], init);
  for (size_t i = sizes.size() - 1; i > 0; --i) decoder_.emplace_back(sizes[i - 1], sizes[i], init);
}

Variable RqVae::mlp(const std::vector<nn::Linear>& layers, Variable x) {
  for (size_t i = 0; i + 1 < layers.size(); ++i) x = layers[i](x, kernels::Activation::elu);
  return layers.back()(x);
}

RqVae::Output RqVae::forward(const Variable& x, double alpha, double beta) const {
  Output out;
  out.latent = encode(x);
  out.quantised = quantiser_.forward(out.latent, beta);
  out.reconstruction = mlp(decoder_, out.quantised.straight_through);
  out.recon = mean(squared_error(x, out.reconstruction));
  out.loss = add(out.recon, scale(out.quantised.commitment, alpha));
  return out;
}

void RqVae::parameters(const std::string& name, nn::Parameters& into) const {
  for (size_t i = 0; i < encoder_.size(); ++i) encoder_[i].parameters(join(name, fmt::format("encoder.{}", i)), into);
  for (size_t i = 0; i < decoder_.size(); ++i) decoder_[i].parameters(join(name, fmt::format("decoder.{}", i)), into);
  quantiser_.parameters(name, into);
}

}  // namespace ace
