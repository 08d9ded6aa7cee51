#include "ace/retriever.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "tensor/graph.h"

namespace ace {

using autograd::add;
using nn::join;
using tensor::check;
using tensor::DType;
using tensor::Shape;

RetrieverOptions retriever_options(const Settings::Model& m, int64_t vocabulary,
                                   const std::vector<int64_t>& identifiers) {
  RetrieverOptions options{vocabulary, identifiers, m.decoder_layers, {}};
  options.layer.width = m.width;
  options.layer.heads = m.heads;
  options.layer.inner = m.feed_forward ? m.feed_forward : 4 * m.width;
  options.layer.encoder_layers = m.encoder_layers;
  options.layer.sigmoid_gate = m.gate == "sigmoid";
  options.layer.shared_attention = m.cross_attention == "shared";
  options.layer.fusion = m.fusion;
  return options;
}

Retriever::Retriever(RetrieverOptions options, nn::Initializer& init)
    : options_(std::move(options)),
      encoder_(options_.vocabulary, options_.layer.width, options_.layer.heads, options_.layer.inner,
               options_.layer.encoder_layers, init),
      embedding_(1 + std::accumulate(options_.identifiers.begin(), options_.identifiers.end(), int64_t(0)),
                 options_.layer.width, init) {
  const int64_t d = options_.layer.width;
  if (options_.layer.fusion) fusion_.emplace(d, options_.layer.encoder_layers * d, init, options_.layer.encoder_layers);
  for (int64_t l = 0; l < options_.decoder_layers; ++l) layers_.emplace_back(options_.layer, init);
  int64_t row = 1;
  for (const int64_t size : options_.identifiers) {
    heads_.emplace_back(size, d, init).wide = true;
    first_row_.push_back(int32_t(row));
    row += size;
  }
}

void Retriever::parameters(const std::string& name, nn::Parameters& into) const {
  encoder_.parameters(join(name, "encoder"), into);
  if (fusion_) fusion_->parameters(join(name, "fusion"), into);
  embedding_.parameters(join(name, "decoder.embedding"), into);
  for (size_t l = 0; l < layers_.size(); ++l) {
    layers_[l].parameters(join(name, fmt::format("decoder.layers.{}", l)), into);
  }
  for (size_t p = 0; p < heads_.size(); ++p) heads_[p].parameters(join(name, fmt::format("heads.{}", p)), into);
}

Retriever::Memory Retriever::encode(const nn::TextBatch& text, nn::Pass& pass) const {
  const tensor::Range range(device(), "encode");
  const std::vector<Variable> encoded = encoder_.forward(text, pass);
  Variable z;
  if (fusion_) {
    z = (*fusion_)(encoded);
    pass.show("Z", z);
  }
  Memory memory{{}, text.sequences.count(), text.dead};
  const Tensor offsets = text.sequences.offsets.to(device());
  for (const FusionDecoderLayer& layer : layers_) memory.layers.push_back(layer.memory(encoded, z, offsets));
  return memory;
}

Tensor Retriever::inputs(const Tensor& identifiers, int64_t queries) const {
  const int64_t known = identifiers.size(0), j = positions();
  check(known <= queries && identifiers.size(1) == j, "retriever: expected identifiers [{}, {}], found {}", queries, j,
        identifiers.shape());
  Tensor result = tensor::zeros(Shape{queries * j}, DType::i32);  // the start, then all tokens but the last
  for (int64_t b = 0; b < known; ++b) {
    const int32_t* tokens = identifiers.data<int32_t>() + b * j;
    int32_t* row = result.data<int32_t>() + b * j;
    for (int64_t p = 1; p < j; ++p) row[p] = embedding_row(p - 1, tokens[p - 1]);
  }
  return result;
}

std::vector<Variable> Retriever::read(const Memory& memory, const Tensor& inputs, nn::Pass& pass) const {
  const int64_t j = positions(), d = options_.layer.width, live = memory.queries - memory.dead;
  check(inputs.shape() == Shape{memory.queries * j},
        "retriever: expected a token for each of {} queries and {} positions, found {}", memory.queries, j,
        inputs.shape());
  const nn::Sequences sequences = nn::Sequences::uniform(memory.queries, j);
  const Tensor offsets = tensor::constant(sequences.offsets, device());
  const Variable positions =
      nn::sinusoidal_positions(tensor::constant(sequences.positions, device()), j, d, embedding_.type(), device());
  Variable y = pass.drop(add(embedding_(inputs, std::sqrt(double(d))), positions));
  for (size_t l = 0; l < layers_.size(); ++l) {
    const tensor::Range range(device(), fmt::format("decoder.layers.{}", l));
    y = layers_[l].forward(y, offsets, memory.layers[l], pass, fmt::format("dec.{}", l));
  }
  if (memory.dead > 0) y = autograd::slice(y, 0, 0, live * j);  // the others take no part in the loss
  const Variable by_query = autograd::reshape(y, {live, j, d});
  std::vector<Variable> logits;
  for (int64_t p = 0; p < j; ++p) {
    const Variable at = autograd::reshape(autograd::slice(by_query, 1, p, p + 1), {live, d});
    logits.push_back(heads_[size_t(p)](at));
    pass.show(fmt::format("logits.{}", p), logits.back());
  }
  return logits;
}

Variable Retriever::step(const Memory& memory, const Rows& rows, State& state) const {
  const int64_t d = options_.layer.width, p = state.position;
  check(rows.ancestors.shape() == Shape{p + 1, rows.inputs.elements()}, "retriever: {} rows with ancestors {} at {}",
        rows.inputs.elements(), rows.ancestors.shape(), p);
  const Tensor position = tensor::constant(tensor::full(Shape{1}, DType::i32, double(p)), device());
  const Variable offset = nn::sinusoidal_positions(position, p + 1, d, embedding_.type(), device());
  Variable y = add(embedding_(rows.inputs, std::sqrt(double(d))), offset);
  state.caches.resize(layers_.size());
  for (size_t l = 0; l < layers_.size(); ++l) {
    const tensor::Range range(device(), fmt::format("decoder.layers.{}", l));
    y = layers_[l].step(y, rows.offsets, rows.ancestors, memory.layers[l], state.caches[l]);
  }
  ++state.position;
  return heads_[size_t(p)](y);
}

}  // namespace ace
