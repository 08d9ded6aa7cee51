#pragma once
#include <vector>

#include "ace/settings.h"
#include "tensor/tensor.h"

namespace ace {

/// Mini-batch K-Means (Sculley 2010, as in scikit-learn's MiniBatchKMeans defaults; spec section 2).
struct KMeans {
  tensor::Tensor centroids;     ///< [K, D] f32
  std::vector<int32_t> labels;  ///< [N], argmin_j ‖x − μ_j‖², ties to the smaller index
  double inertia = 0;           ///< Σ_i ‖x_i − μ_label‖²
};

/// x: [N, D] f32. N < K fails and names the setting that would do. The same seed gives the same clusters with any
/// number of threads.
KMeans fit_kmeans(const tensor::Tensor& x, const Settings::KMeans& settings, uint64_t seed);
/// Labels and inertia of x [N, D] f32 under given centroids.
KMeans assign_kmeans(const tensor::Tensor& x, const tensor::Tensor& centroids);
/// Plain Lloyd iterations from k-means++ (small problems: codebook initialisation, the hierarchical tree), until no
/// label changes. A cluster that loses all its points moves to the point farthest from its centroid. With fewer
/// distinct points than clusters some centroids are equal, and of those the first has the points.
KMeans fit_lloyd(const tensor::Tensor& x, int64_t clusters, int64_t iterations, uint64_t seed);

/// Rows of x [N, D] (f32, f64, f16, bf16) scaled to length 1, as f32. A row of zeros, or with a number that is not
/// finite, has no direction and fails.
tensor::Tensor l2_normalize(const tensor::Tensor& x);

}  // namespace ace
