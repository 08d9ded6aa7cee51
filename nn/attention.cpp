#include "nn/attention.h"

#include <cmath>

namespace nn {

using autograd::add;

void MultiHeadAttention::parameters(const std::string& name, Parameters& into) const {
  query.parameters(join(name, "query"), into);
  key.parameters(join(name, "key"), into);
  value.parameters(join(name, "value"), into);
  output.parameters(join(name, "output"), into);
}

Variable EncoderLayer::forward(const Variable& x, const Tensor& offsets, Pass& pass) const {
  const Variable y = attention_norm(x, attention.forward(x, offsets, attention.memory(x, offsets)), pass);
  return feed_forward_norm(y, feed_forward(y, pass), pass);
}

void EncoderLayer::parameters(const std::string& name, Parameters& into) const {
  attention.parameters(join(name, "attention"), into);
  attention_norm.parameters(join(name, "attention_norm"), into);
  feed_forward.parameters(join(name, "feed_forward"), into);
  feed_forward_norm.parameters(join(name, "feed_forward_norm"), into);
}

Encoder::Encoder(int64_t vocabulary, int64_t width, int64_t heads, int64_t inner, int64_t count, Initializer& init)
    : embedding(vocabulary, width, init) {
  for (int64_t l = 0; l < count; ++l) layers.emplace_back(width, heads, inner, init);
}

std::vector<Variable> Encoder::forward(const TextBatch& text, Pass& pass) const {
  const int64_t width = embedding.weight.size(1);
  const tensor::Device device = embedding.weight.value().device();
  const Variable positions =
      sinusoidal_positions(text.sequences.positions, text.sequences.longest, width, embedding.type(), device);
  const Tensor offsets = text.sequences.offsets.to(device);
  Variable x = pass.drop(add(embedding(text.tokens, std::sqrt(double(width))), positions));
  std::vector<Variable> outputs;
  for (const EncoderLayer& layer : layers) {
    const tensor::Range range(device, fmt::format("encoder.layers.{}", outputs.size()));
    x = layer.forward(x, offsets, pass);
    pass.show(fmt::format("E.{}", outputs.size()), x);
    outputs.push_back(x);
  }
  return outputs;
}

void Encoder::parameters(const std::string& name, Parameters& into) const {
  embedding.parameters(join(name, "embedding"), into);
  for (size_t l = 0; l < layers.size(); ++l) layers[l].parameters(join(name, fmt::format("layers.{}", l)), into);
}

}  // namespace nn
