#include "ace/plus_plus.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "kernels/nearest.h"
#include "tensor/dispatch.h"

namespace ace {
namespace {

using tensor::DType;
using tensor::Random;
using tensor::Tensor;

void copy_row(const Tensor& from, int64_t from_row, const Tensor& to, int64_t to_row) {
  tensor::copy(to.range(to_row, to_row + 1), from.range(from_row, from_row + 1));
}

class PlusPlus {
 public:
  PlusPlus(const Tensor& x, Random& random) : x_(x), random_(random), closest_(size_t(x.rows())) {}

  Tensor centroids(int64_t clusters) {
    Tensor result({clusters, x_.cols()}, DType::f32);
    const int64_t trials = 2 + int64_t(std::log(double(clusters)));
    candidates_ = Tensor({trials, x_.cols()}, DType::f32, x_.device());
    distances_ = Tensor({x_.rows(), trials}, DType::f32, x_.device());
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
    tensor::dispatch(tensor::TypeList<float>(), x_, [&](auto backend, auto) {
      kernels::squared_distances(backend, x_.data<float>(), candidates_.data<float>(), distances_.data<float>(), n,
                                 trials, x_.cols());
    });
    const Tensor here = distances_.to(tensor::Device::cpu);
    float* const distance = here.data<float>();
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
