#include "tools/bench_counts.h"

namespace tools::bench {
namespace {

/// Encoder layers alone. Each: query, key, value, output (d × d each), feed-forward (d × f twice), and for each piece
/// its scores with all pieces and their weighted sum (d each).
double encoder_flops(const ace::RetrieverOptions& model, double length) {
  const double d = double(model.layer.width), f = double(model.layer.inner), s = double(model.layer.encoder_layers);
  return s * length * 2 * (4 * d * d + 2 * d * f + 2 * length * d);
}

}  // namespace

double encoding_flops(const ace::RetrieverOptions& model, double length) {
  const double d = double(model.layer.width), s = double(model.layer.encoder_layers);
  const double z = 2 * s * d * d;                 // W [E_1; …; E_S]
  const double memory = 2 * 2 * d * d * (1 + s);  // keys and values of Z and of every E_i
  return encoder_flops(model, length) + length * (z + double(model.decoder_layers) * memory);
}

double decoder_row_flops(const ace::RetrieverOptions& model, double seen, double length) {
  const double d = double(model.layer.width), f = double(model.layer.inner), s = double(model.layer.encoder_layers);
  const double self = 4 * d * d + 2 * seen * d;
  const double coarse = 2 * d * d + 2 * length * d;          // query and output; scores and their sum
  const double fine = d * d + s * (d * d + 2 * length * d);  // one query, S times the rest
  const double gates = s * 2 * d * d, feed_forward = 2 * d * f;
  return double(model.decoder_layers) * 2 * (self + coarse + fine + gates + feed_forward);
}

double training_flops(const ace::RetrieverOptions& model, std::span<const std::vector<int32_t>> texts) {
  const double positions = double(model.identifiers.size()), passes = 2, forward_and_backward = 3;
  double heads = 0, flops = 0;
  for (const int64_t size : model.identifiers) heads += 2 * double(model.layer.width) * double(size);
  for (const auto& text : texts) {
    const double length = double(text.size());
    flops += encoding_flops(model, length) + positions * decoder_row_flops(model, positions, length) + heads;
  }
  return passes * forward_and_backward * flops;
}

double search_flops(const ace::RetrieverOptions& model, std::span<const std::vector<int32_t>> texts,
                    std::span<const int64_t> rows) {
  double flops = 0;
  for (const auto& text : texts) {
    const double length = double(text.size());
    flops += encoding_flops(model, length);
    for (size_t j = 0; j < rows.size(); ++j) {
      const double head = 2 * double(model.layer.width) * double(model.identifiers[j]);
      flops += double(rows[j]) * (decoder_row_flops(model, double(j + 1), length) + head);
    }
  }
  return flops;
}

double dual_tower_flops(const ace::RetrieverOptions& model, std::span<const std::vector<int32_t>> texts,
                        int64_t item_width, int64_t items) {
  double flops = 0;
  for (const auto& text : texts) flops += encoder_flops(model, double(text.size()));
  return flops + double(texts.size()) * 2 * double(item_width) * (double(model.layer.width) + double(items));
}

double rqvae_flops(std::span<const int64_t> widths, int64_t codebooks, int64_t entries, int64_t batch) {
  double products = 0;
  for (size_t i = 0; i + 1 < widths.size(); ++i) products += double(widths[i]) * double(widths[i + 1]);
  // encoder and decoder, forward and both gradients, but for the gradient of the input; distances to all entries
  const double autoencoder = 3 * 2 * 2 * products - 2 * double(widths[0]) * double(widths[1]);
  const double distances = double(codebooks) * 2 * double(entries) * double(widths.back());
  return double(batch) * (autoencoder + distances);
}

}  // namespace tools::bench
