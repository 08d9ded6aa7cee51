#include "ace/plus_plus.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "kernels/nearest.h"

namespace ace {
namespace {

using tensor::DType;
using tensor::Random;
using tensor::Tensor;

void copy_row(const Tensor& from, int64_t from_row, const Tensor& to, int64_t to_row) {
  const int64_t width = from.cols();
  std::memcpy(to.data<float>() + to_row * width, from.data<float>() + from_row * width, size_t(width) * sizeof(float));
}

class PlusPlus {
 public:
  PlusPlus(const Tensor& x, Random& random) : x_(x), random_(random), closest_(size_t(x.rows())) {}

  Tensor centroids(int64_t clusters) {
    Tensor result({clusters, x_.cols()}, DType::f32);
    const int64_t trials = 2 + int64_t(std::log(double(clusters)));
    candidates_ = Tensor({trials, x_.cols()}, DType::f32);
    distances_ = Tensor({x_.rows(), trials}, DType::f32);
    std::fill(closest_.begin(), closest_.end(), std::numeric_limits<float>::infinity());
    copy_row(x_, random_.below(x_.rows()), candidates_, 0);
    adopt(1, result, 0);
    for (int64_t j = 1; j < clusters; ++j) {
      draw(trials);
      adopt(trials, result, j);
    }
    return result;
  }

 private:
  /// Fills the candidates: the first point at which the running sum of closest passes a uniform share of the whole.
  void draw(int64_t trials) {
    sums_.resize(closest_.size());
    double total = 0;
    for (size_t i = 0; i < closest_.size(); ++i) sums_[i] = total += double(closest_[i]);
    for (int64_t t = 0; t < trials; ++t) {
      const auto found = std::upper_bound(sums_.begin(), sums_.end(), random_.uniform() * total);
      copy_row(x_, std::min<int64_t>(found - sums_.begin(), x_.rows() - 1), candidates_, t);
    }
  }

  /// The best of the first `trials` candidates becomes centroid j.
  void adopt(int64_t trials, const Tensor& centroids, int64_t j) {
    const int64_t n = x_.rows();
    float* distance = distances_.data<float>();
    kernels::squared_distances(kernels::Cpu(), x_.data<float>(), candidates_.data<float>(), distance, n, trials,
                               x_.cols());
    std::vector<double> potential(static_cast<size_t>(trials));
    for (int64_t i = 0; i < n; ++i) {
      for (int64_t t = 0; t < trials; ++t) {
        float& to = distance[i * trials + t];
        to = std::min(to, closest_[size_t(i)]);
        potential[size_t(t)] += double(to);
      }
    }
    const int64_t best = std::min_element(potential.begin(), potential.end()) - potential.begin();
    for (int64_t i = 0; i < n; ++i) closest_[size_t(i)] = distance[i * trials + best];
    copy_row(candidates_, best, centroids, j);
  }

  const Tensor& x_;
  Random& random_;
  std::vector<float> closest_;  ///< ‖x_i − nearest centre so far‖²
  std::vector<double> sums_;
  Tensor candidates_, distances_;
};

}  // namespace

tensor::Tensor plus_plus(const Tensor& x, int64_t clusters, Random& random) {
  return PlusPlus(x, random).centroids(clusters);
}

}  // namespace ace
