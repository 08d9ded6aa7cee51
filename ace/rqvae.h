#pragma once
#include "ace/progress.h"
#include "ace/rows.h"
#include "ace/settings.h"
#include "nn/layers.h"
#include "nn/quantiser.h"

namespace ace {

/// The autoencoder of fine tokens (paper section 3.2.2): D → hidden … → latent and back, ELU after each layer but the
/// last, and between the two a residual quantiser. Parameter names: README, "Tensors".
class RqVae {
 public:
  /// sizes: D, hidden …, latent.
  RqVae(const std::vector<int64_t>& sizes, int64_t codebooks, int64_t entries, nn::Initializer& init);

  struct Output {
    nn::Variable latent;          ///< z = E(x)  [B, latent]
    nn::Quantised quantised;      ///< of z
    nn::Variable reconstruction;  ///< D(z + sg[Q(z) − z])  [B, D]
    nn::Variable recon;           ///< mean_B ‖x − reconstruction‖²
    nn::Variable loss;            ///< recon + α commitment
  };
  Output forward(const nn::Variable& x, double alpha, double beta) const;
  nn::Variable encode(const nn::Variable& x) const { return mlp(encoder_, x); }
  void parameters(const std::string& name, nn::Parameters& into) const;
  const nn::ResidualQuantiser& quantiser() const { return quantiser_; }

 private:
  static nn::Variable mlp(const std::vector<nn::Linear>& layers, nn::Variable x);
  std::vector<nn::Linear> encoder_, decoder_;
  nn::ResidualQuantiser quantiser_;
};

/// A trained RQ-VAE and what it makes of its corpus.
struct RqVaeFit {
  RqVae model;
  tensor::Tensor codes;                         ///< i32 [N, M]
  double reconstruction = 0;                    ///< mean ‖x − D(Q(E(x)))‖² over all rows
  double variance = 0;                          ///< mean ‖x‖²: what an empty reconstruction would miss
  int64_t steps = 0, redrawn = 0, skipped = 0;  ///< skipped: steps whose gradients were not finite
};

/// Trains on the rows of x (the residuals x − μ_k), which are read by batches.
RqVaeFit fit_rqvae(const Rows& x, const Settings::RqVae& settings, uint64_t seed, const Progress& progress);

}  // namespace ace
