#pragma once
#include <span>

#include "ace/retriever.h"

/// Operations that the RQ-VAE and the retriever need (paper, sections 3.2.2 and 3.4): multiplications and additions of
/// matrix products, and nothing else. A product of [m, k] and [k, n] takes 2 m n k.
namespace tools::bench {

/// Reading one text of `length` pieces: encoder, Z, and the decoder layers' keys and values.
double encoding_flops(const ace::RetrieverOptions& model, double length);
/// One decoder row that attends to `seen` positions of its identifier and to a text of `length` pieces, without head.
double decoder_row_flops(const ace::RetrieverOptions& model, double seen, double length);

/// One training step: the texts twice (two passes), each forward once and backward twice (the gradients of both factors
/// of every product).
double training_flops(const ace::RetrieverOptions& model, std::span<const std::vector<int32_t>> texts);
/// Beam search: position 0 takes one row a text, position j as many as `rows[j]`.
double search_flops(const ace::RetrieverOptions& model, std::span<const std::vector<int32_t>> texts,
                    std::span<const int64_t> rows);
/// Dual tower: the encoder and the projection to `item_width`, then the product with `items` vectors.
double dual_tower_flops(const ace::RetrieverOptions& model, std::span<const std::vector<int32_t>> texts,
                        int64_t item_width, int64_t items);
/// One step of the RQ-VAE of these widths (D, hidden …, latent) and M codebooks of C entries.
double rqvae_flops(std::span<const int64_t> widths, int64_t codebooks, int64_t entries, int64_t batch);

}  // namespace tools::bench
