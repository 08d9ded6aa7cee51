#pragma once
#include <vector>

#include "ace/rows.h"
#include "ace/settings.h"

namespace ace {

/// Mini-batch K-Means (Sculley 2010), with the defaults of scikit-learn's MiniBatchKMeans (paper section 4.2).
struct KMeans {
  tensor::Tensor centroids;     ///< [K, D] f32
  std::vector<int32_t> labels;  ///< [N], argmin_j ‖x − μ_j‖², ties to the smaller index
  double inertia = 0;           ///< Σ_i ‖x_i − μ_label‖²
  int64_t steps = 0;            ///< mini-batches that led there
};

/// After the mini-batches each centroid moves to the mean of all its members, once, as scikit-learn's do not: a step of
/// rate 1/count stays where the last batches left it. Rows are read by batches, for the start by samples of three
/// batches or three rows a cluster, and then in two passes: held together only where they are no more than a sample.
/// Fewer rows than clusters fail; the message names the setting that would do. The same seed gives the same clusters
/// with any number of threads.
KMeans fit_kmeans(const Rows& x, const Settings::KMeans& settings, uint64_t seed);
/// Labels and inertia of x under given centroids, in one pass.
KMeans assign_kmeans(const Rows& x, const tensor::Tensor& centroids);
/// Plain Lloyd iterations from k-means++ on x [N, D] f32 (small problems: codebook initialisation, the hierarchical
/// tree): at most `iterations` of them, fewer when no label changes. A cluster that loses all its points moves to the
/// point farthest from its centroid. With fewer distinct points than clusters some centroids are equal, and of those
/// the first has the points.
KMeans fit_lloyd(const tensor::Tensor& x, int64_t clusters, int64_t iterations, uint64_t seed);

}  // namespace ace
