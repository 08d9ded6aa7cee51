#pragma once
#include "nn/module.h"

namespace nn {

/// Residual quantisation (section 3.2.2 of the paper): code by code, each quantises what the ones before left over.
///   r_0 = z;  v_m = argmin_j ‖r_{m−1} − e_m^j‖²;  r_m = r_{m−1} − sg[e_m^{v_m}];  Q(z) = Σ_m e_m^{v_m}
struct Quantised {
  Variable straight_through;  ///< z + sg[Q(z) − z]  [B, latent]: Q's value, z's gradient
  Variable sum;               ///< Q(z)  [B, latent]
  Variable commitment;  ///< Σ_m mean_B(‖sg[r_{m−1}] − e‖² + β ‖r_{m−1} − sg[e]‖²), one element
  std::vector<Tensor> codes;      ///< v_1 … v_M, i32 [B] each, where z is
  std::vector<Tensor> residuals;  ///< r_0 … r_{M−1}, values
};

struct ResidualQuantiser {
  /// `codebooks` codebooks of `entries` vectors each; none shares parameters with another.
  ResidualQuantiser(int64_t codebooks, int64_t entries, int64_t latent, Initializer& init);
  Quantised forward(const Variable& z, double beta) const;
  void parameters(const std::string& name, Parameters& into) const;
  std::vector<Variable> codebooks;  ///< [C, latent] each
};

/// Index of the nearest row of codes [C, d] for each row of x [n, d]: i32 [n], where x is; ties to the smaller index. A
/// row that is not finite is an error on the CPU. A GPU, which nobody waits for here, gives it index 0: what is
/// computed of it then is not finite either.
Tensor nearest(const Tensor& x, const Tensor& codes);

}  // namespace nn
