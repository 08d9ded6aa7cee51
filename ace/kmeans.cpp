#include "ace/kmeans.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>

#include "ace/plus_plus.h"
#include "kernels/nearest.h"
#include "tensor/dispatch.h"

namespace ace {
namespace {

using tensor::DType;
using tensor::Random;
using tensor::Tensor;

const float* row_of(const Tensor& x, int64_t row) { return x.data<float>() + row * x.cols(); }

void copy_row(const float* from, const Tensor& to, int64_t row) {
  std::memcpy(to.data<float>() + row * to.cols(), from, size_t(to.cols()) * sizeof(float));
}

/// `count` rows of x, drawn with replacement.
void draw_rows(const Tensor& x, const Tensor& rows, Random& random) {
  for (int64_t i = 0; i < rows.rows(); ++i) copy_row(row_of(x, random.below(x.rows())), rows, i);
}

void check_points(const Tensor& x) {
  tensor::check(x.rank() == 2 && x.dtype() == DType::f32, "kmeans: expected float32 [items, width], found {} {}",
                name_of(x.dtype()), x.shape());
  tensor::check(x.rows() > 0, "kmeans: no items");
}

/// Which centroid each row of x belongs to, and how far it is; keeps its buffers from call to call.
class Assignment {
 public:
  /// Returns the inertia.
  double update(const Tensor& x, const Tensor& centroids) {
    const int64_t n = x.rows(), k = centroids.rows();
    if (const int64_t needed = kernels::nearest_scratch(n, k); !scratch_.defined() || scratch_.elements() < needed) {
      scratch_ = Tensor({needed}, DType::f32);
    }
    labels.resize(size_t(n));
    distances.resize(size_t(n));
    kernels::nearest(kernels::Cpu(), x.data<float>(), centroids.data<float>(), labels.data(), distances.data(), n, k,
                     x.cols(), scratch_.data<float>());
    const auto lost = std::find(labels.begin(), labels.end(), -1);
    tensor::check(lost == labels.end(), "kmeans: row {} holds a number that is not finite", lost - labels.begin());
    return std::accumulate(distances.begin(), distances.end(), 0.0);
  }
  std::vector<int32_t> labels;
  std::vector<float> distances;

 private:
  Tensor scratch_;
};

/// The members of each cluster, ascending: cluster j has members[first[j]] … members[first[j + 1] − 1].
struct Groups {
  std::vector<int64_t> first;
  std::vector<int32_t> members;
  int64_t size(int64_t cluster) const { return first[size_t(cluster) + 1] - first[size_t(cluster)]; }

  Groups(const std::vector<int32_t>& labels, int64_t clusters) : first(size_t(clusters) + 1), members(labels.size()) {
    for (int32_t label : labels) ++first[size_t(label) + 1];
    std::partial_sum(first.begin(), first.end(), first.begin());
    std::vector<int64_t> next = first;
    for (size_t i = 0; i < labels.size(); ++i) members[size_t(next[size_t(labels[i])]++)] = int32_t(i);
  }
};

/// μ_j ← (count_j μ_j + Σ_{i ∈ cluster j} x_i) / (count_j + |cluster j|): a step of rate 1/count towards each member in
/// turn, and for count 0 the mean. A cluster without members stays. Each sum is taken in the order of the members, so
/// threads change no bit.
void move_to_means(const Tensor& x, const Groups& groups, const std::vector<double>& counts, const Tensor& centroids) {
  const int64_t width = x.cols(), clusters = centroids.rows();
  const int64_t cost = (x.rows() / clusters + 2) * width;
  kernels::Cpu().parallel(clusters, cost, [&](int64_t begin, int64_t end) {
    std::vector<double> sum(static_cast<size_t>(width));
    for (int64_t j = begin; j < end; ++j) {
      if (groups.size(j) == 0) continue;
      const double count = counts[size_t(j)], total = count + double(groups.size(j));
      float* centroid = centroids.data<float>() + j * width;
      for (int64_t c = 0; c < width; ++c) sum[size_t(c)] = count * double(centroid[c]);
      for (int64_t m = groups.first[size_t(j)]; m < groups.first[size_t(j) + 1]; ++m) {
        const float* row = row_of(x, groups.members[size_t(m)]);
        for (int64_t c = 0; c < width; ++c) sum[size_t(c)] += double(row[c]);
      }
      for (int64_t c = 0; c < width; ++c) centroid[c] = float(sum[size_t(c)] / total);
    }
  });
}

/// Of three k-means++ starts, each on a sample of its own, the one that fits a further sample best.
Tensor best_start(const Tensor& x, int64_t clusters, int64_t batch, Random& random) {
  const int64_t wanted = 3 * batch < clusters ? 3 * clusters : 3 * batch;
  const bool all = wanted >= x.rows();
  Tensor validation({std::min(wanted, x.rows()), x.cols()}, DType::f32);
  draw_rows(x, validation, random);
  Tensor sample = all ? x : tensor::empty_like(validation), best;
  Assignment assignment;
  double lowest = std::numeric_limits<double>::infinity();
  for (int start = 0; start < 3; ++start) {
    if (!all) draw_rows(x, sample, random);
    const Tensor centroids = plus_plus(sample, clusters, random);
    const double inertia = assignment.update(validation, centroids);
    if (inertia < lowest) lowest = inertia, best = centroids;
  }
  return best;
}

/// Says when to stop: the exponentially smoothed inertia of the batches, its memory two passes over the items, has not
/// improved for ten steps.
class Stall {
 public:
  Stall(int64_t batch, int64_t items) : weight_(std::min(1.0, 2.0 * double(batch) / double(items + 1))) {}
  bool after(double inertia) {
    if (steps_++ == 0) return false;  // the start's own inertia
    smoothed_ = steps_ == 2 ? inertia : smoothed_ + weight_ * (inertia - smoothed_);
    if (smoothed_ < lowest_) {
      lowest_ = smoothed_;
      without_ = 0;
      return false;
    }
    return ++without_ >= 10;
  }

 private:
  double weight_, smoothed_ = 0, lowest_ = std::numeric_limits<double>::infinity();
  int64_t steps_ = 0, without_ = 0;
};

class MiniBatch {
 public:
  MiniBatch(const Tensor& x, Tensor centroids, int64_t batch, Random& random)
      : x_(x),
        centroids_(std::move(centroids)),
        rows_({batch, x.cols()}, DType::f32),
        counts_(size_t(centroids_.rows())),
        random_(random) {}
  const Tensor& centroids() const { return centroids_; }

  /// Draws a batch, moves the centroids; returns the batch's inertia before the move.
  double step() {
    const bool reassigns = is_time_to_reassign();
    draw_rows(x_, rows_, random_);
    const double inertia = assignment_.update(rows_, centroids_);
    const Groups groups(assignment_.labels, centroids_.rows());
    move_to_means(rows_, groups, counts_, centroids_);
    for (int64_t j = 0; j < centroids_.rows(); ++j) counts_[size_t(j)] += double(groups.size(j));
    if (reassigns) reassign();
    return inertia;
  }

 private:
  static constexpr double reassignment_ratio = 0.01;

  /// While a cluster has never had a member, and else each time ten rows per cluster have been seen.
  bool is_time_to_reassign() {
    since_reassignment_ += rows_.rows();
    const bool empty = std::find(counts_.begin(), counts_.end(), 0.0) != counts_.end();
    if (!empty && since_reassignment_ < 10 * centroids_.rows()) return false;
    since_reassignment_ = 0;
    return true;
  }

  /// Clusters with under 0.01 of the largest count, at most half a batch of them, start anew at rows of the batch; with
  /// the smallest count of the others, so that they are not moved again at once.
  void reassign() {
    const double threshold = reassignment_ratio * *std::max_element(counts_.begin(), counts_.end());
    std::vector<size_t> order(counts_.size());
    std::iota(order.begin(), order.end(), size_t(0));
    std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return counts_[a] < counts_[b]; });
    const auto is_small = [&](size_t j) { return counts_[j] < threshold; };
    const int64_t small = std::find_if_not(order.begin(), order.end(), is_small) - order.begin();
    const int64_t moved = std::min(small, rows_.rows() / 2);
    const double count = counts_[order[size_t(moved)]];
    const std::vector<int64_t> rows = random_.permutation(rows_.rows());
    for (size_t i = 0; i < size_t(moved); ++i) {
      copy_row(row_of(rows_, rows[i]), centroids_, int64_t(order[i]));
      counts_[order[i]] = count;
    }
  }

  const Tensor& x_;
  Tensor centroids_, rows_;
  std::vector<double> counts_;
  Random& random_;
  Assignment assignment_;
  int64_t since_reassignment_ = 0;
};

KMeans assigned(const Tensor& x, const Tensor& centroids) {
  Assignment assignment;
  const double inertia = assignment.update(x, centroids);
  return {centroids, std::move(assignment.labels), inertia};
}

/// Gives each empty cluster the point that is farthest from its centroid, of those that do not leave a cluster empty.
/// Points that lie on their centroid stay.
void fill_empty(Assignment& assignment, const Groups& groups) {
  std::vector<int64_t> sizes, empty;
  for (size_t j = 0; j + 1 < groups.first.size(); ++j) {
    sizes.push_back(groups.size(int64_t(j)));
    if (sizes.back() == 0) empty.push_back(int64_t(j));
  }
  if (empty.empty()) return;
  std::vector<size_t> order(assignment.labels.size());
  std::iota(order.begin(), order.end(), size_t(0));
  const std::vector<float>& distances = assignment.distances;
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return distances[a] > distances[b]; });
  auto next = empty.begin();
  for (size_t point : order) {
    if (next == empty.end() || distances[point] == 0) return;
    int32_t& label = assignment.labels[point];
    if (sizes[size_t(label)] < 2) continue;
    --sizes[size_t(label)];
    label = int32_t(*next++);
  }
}

}  // namespace

KMeans fit_kmeans(const Tensor& x, const Settings::KMeans& settings, uint64_t seed) {
  check_points(x);
  const int64_t items = x.rows(), clusters = settings.clusters;
  tensor::check(clusters >= 1 && settings.batch >= 1,
                "kmeans: expected kmeans.clusters and kmeans.batch to be at least 1, found {} and {}", clusters,
                settings.batch);
  tensor::check(items >= clusters,
                "kmeans: {} items are fewer than kmeans.clusters = {}; set kmeans.clusters to at most {}", items,
                clusters, items);
  constexpr int64_t passes = 100;
  const int64_t batch = std::min(settings.batch, items);
  Random random(seed);
  MiniBatch fit(x, best_start(x, clusters, batch, random), batch, random);
  Stall stall(batch, items);
  for (int64_t step = 0; step < passes * items / batch; ++step) {
    if (stall.after(fit.step())) break;
  }
  return assigned(x, fit.centroids());
}

KMeans assign_kmeans(const Tensor& x, const Tensor& centroids) {
  check_points(x);
  tensor::check(
      centroids.rank() == 2 && centroids.dtype() == DType::f32 && centroids.rows() > 0 && centroids.cols() == x.cols(),
      "kmeans: expected float32 centroids [clusters, {}], found {} {}", x.cols(), name_of(centroids.dtype()),
      centroids.shape());
  return assigned(x, centroids);
}

KMeans fit_lloyd(const Tensor& x, int64_t clusters, int64_t iterations, uint64_t seed) {
  check_points(x);
  tensor::check(clusters >= 1, "kmeans: expected at least one cluster, found {}", clusters);
  Random random(seed);
  const Tensor centroids = plus_plus(x, clusters, random);
  const std::vector<double> counts(static_cast<size_t>(clusters));
  Assignment assignment;
  std::vector<int32_t> before;
  for (int64_t i = 0; i < iterations; ++i) {
    assignment.update(x, centroids);
    if (assignment.labels == before) break;
    before = assignment.labels;
    fill_empty(assignment, Groups(assignment.labels, clusters));
    move_to_means(x, Groups(assignment.labels, clusters), counts, centroids);
  }
  return assigned(x, centroids);
}

Tensor l2_normalize(const Tensor& x) {
  constexpr tensor::TypeList<float, double, tensor::f16, tensor::bf16> types;
  tensor::check(x.rank() == 2, "embeddings: expected [items, width], found {}", x.shape());
  Tensor result(x.shape(), DType::f32);
  tensor::dispatch(types, x, [&](auto backend, auto type) {
    using T = decltype(type);
    const T* from = x.data<T>();
    float* to = result.data<float>();
    const int64_t width = x.cols();
    backend.parallel(x.rows(), 4 * width, [=](int64_t begin, int64_t end) {
      for (int64_t r = begin; r < end; ++r) {
        double largest = 0, sum = 0;  // scaled by the largest, no square overflows
        for (int64_t c = 0; c < width; ++c) largest = std::max(largest, std::abs(double(from[r * width + c])));
        const double scale = 1 / largest;
        for (int64_t c = 0; c < width; ++c) sum += std::pow(double(from[r * width + c]) * scale, 2);
        const double factor = scale / std::sqrt(sum);
        for (int64_t c = 0; c < width; ++c) to[r * width + c] = float(double(from[r * width + c]) * factor);
      }
    });
  });
  const auto values = result.values<float>();
  const auto wrong = std::find_if_not(values.begin(), values.end(), [](float v) { return std::isfinite(v); });
  tensor::check(wrong == values.end(), "embeddings: row {} is all zeros or not finite, and has no direction",
                (wrong - values.begin()) / std::max<int64_t>(x.cols(), 1));
  return result;
}

}  // namespace ace
