#pragma once
#include "tensor/random.h"
#include "tensor/tensor.h"

namespace ace {

/// Where K-Means starts: `clusters` rows of x [N, D] f32, N ≥ 1, by greedy k-means++ (Arthur, Vassilvitskii 2007). Each
/// centre is a point drawn with probability proportional to its squared distance from the nearest centre so far; of
/// 2 + ⌊ln K⌋ such draws the one that leaves the smallest sum of distances. Where x has fewer distinct rows than that,
/// some are taken twice.
tensor::Tensor plus_plus(const tensor::Tensor& x, int64_t clusters, tensor::Random& random);

}  // namespace ace
