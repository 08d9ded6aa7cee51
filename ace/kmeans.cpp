#include "ace/kmeans.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "ace/plus_plus.h"
#include "kernels/group_sums.h"
#include "kernels/nearest.h"
#include "tensor/dispatch.h"

namespace ace {
namespace {

using tensor::DType;
using tensor::Random;
using tensor::Shape;
using tensor::Tensor;

/// `count` rows of x, drawn with replacement from `window` (null: from all), in ascending order: a file is read in one
/// direction.
Tensor draw_rows(const Rows& x, int64_t count, const std::vector<int64_t>* window, Random& random) {
  std::vector<int64_t> rows(static_cast<size_t>(count));
  for (int64_t& row : rows) {
    row = window == nullptr ? random.below(x.count()) : (*window)[size_t(random.below(int64_t(window->size())))];
  }
  std::sort(rows.begin(), rows.end());
  return x.gather(rows);
}

void check_points(const Tensor& x) {
  tensor::check(x.rank() == 2 && x.dtype() == DType::f32, "kmeans: expected float32 [items, width], found {} {}",
                name_of(x.dtype()), x.shape());
  tensor::check(x.rows() > 0, "kmeans: no items");
}

/// Which centroid each row of a block belongs to, and how far it is: worked out where the block is.
class Assignment {
 public:
  /// Returns the inertia. `first`: the number of the block's first row, for the message.
  double update(const Tensor& x, const Tensor& centroids, int64_t first = 0) {
    const int64_t n = x.rows(), k = centroids.rows();
    const Tensor label(Shape{n}, DType::i32, x.device()), distance(Shape{n}, DType::f32, x.device());
    const Tensor e = centroids.to(x.device());
    tensor::dispatch(tensor::TypeList<float>(), x, [&](auto backend, auto) {
      const Tensor scratch(Shape{kernels::nearest_scratch(backend, n, k)}, DType::f32, x.device());
      kernels::nearest(backend, x.data<float>(), e.data<float>(), label.data<int32_t>(), distance.data<float>(), n, k,
                       x.cols(), scratch.data<float>());
    });
    const Tensor here = label.to(tensor::Device::cpu), far = distance.to(tensor::Device::cpu);
    labels.assign(here.values<int32_t>().begin(), here.values<int32_t>().end());
    distances.assign(far.values<float>().begin(), far.values<float>().end());
    const auto lost = std::ranges::find_if_not(distances, [](float distance) { return std::isfinite(distance); });
    tensor::check(lost == distances.end(),
                  "kmeans: row {} (from 0): its numbers, or their squares, are not finite in float32; "
                  "identifiers.normalize = true makes large ones small",
                  first + (lost - distances.begin()));
    return std::accumulate(distances.begin(), distances.end(), 0.0);
  }
  std::vector<int32_t> labels;
  std::vector<float> distances;
};

std::vector<int64_t> sizes_of(const std::vector<int32_t>& labels, int64_t clusters) {
  std::vector<int64_t> sizes(static_cast<size_t>(clusters));
  for (int32_t label : labels) ++sizes[size_t(label)];
  return sizes;
}

/// Where clusters move, from sums over their members that grow block by block, in the order of the rows: threads change
/// no bit.
class Means {
 public:
  Means(int64_t clusters, int64_t width)
      : counts_(size_t(clusters)), sizes_(size_t(clusters)), sums_(tensor::zeros({clusters, width}, DType::f64)) {}

  void add(const Tensor& x, const std::vector<int32_t>& labels) {
    for (int32_t label : labels) ++sizes_[size_t(label)];
    if (sums_.device() != x.device()) sums_ = sums_.to(x.device());
    const Tensor label = Tensor::of<int32_t>(Shape{x.rows()}, std::span<const int32_t>(labels)).to(x.device());
    tensor::dispatch(tensor::TypeList<float>(), x, [&](auto backend, auto) {
      kernels::group_sums(backend, x.data<float>(), label.data<int32_t>(), sums_.data<double>(), x.rows(), sums_.rows(),
                          x.cols());
    });
  }
  /// μ_j ← (count_j μ_j + Σ_{i ∈ cluster j} x_i) / (count_j + |cluster j|), and the divisor is the new count: a step of
  /// rate 1/count towards each member in turn, and for count 0 the mean. A cluster without members stays.
  void move(const Tensor& centroids) {
    const int64_t width = centroids.cols();
    const Tensor sums = sums_.to(tensor::Device::cpu);
    kernels::Cpu().parallel(centroids.rows(), 8 * width, [&](int64_t begin, int64_t end) {
      for (size_t j = size_t(begin); j < size_t(end); ++j) {
        if (sizes_[j] == 0) continue;
        const double count = counts_[j], total = count + double(sizes_[j]);
        float* const centroid = centroids.data<float>() + int64_t(j) * width;
        const double* const sum = sums.data<double>() + int64_t(j) * width;
        for (int64_t c = 0; c < width; ++c) centroid[c] = float((count * double(centroid[c]) + sum[c]) / total);
        counts_[j] = total;
      }
    });
    tensor::fill_zero(sums_);
    std::fill(sizes_.begin(), sizes_.end(), 0);
  }
  std::vector<double>& counts() { return counts_; }

 private:
  std::vector<double> counts_;
  std::vector<int64_t> sizes_;
  Tensor sums_;
};

/// One pass over all rows: each block is read, assigned and added to the means of its clusters while it is in the
/// cache. Returns the inertia; `labels` and `means` may be null.
double pass(const Rows& x, const Tensor& centroids, std::vector<int32_t>* labels, Means* means) {
  Assignment assignment;
  double inertia = 0;
  if (labels != nullptr) labels->reserve(size_t(x.count()));
  for (int64_t begin = 0, size = x.block_rows(); begin < x.count(); begin += size) {
    const Tensor block = x.block(begin, std::min(begin + size, x.count()));
    inertia += assignment.update(block, centroids, begin);
    if (means != nullptr) means->add(block, assignment.labels);
    if (labels != nullptr) labels->insert(labels->end(), assignment.labels.begin(), assignment.labels.end());
  }
  return inertia;
}

KMeans assigned(const Rows& x, const Tensor& centroids) {
  KMeans fit{centroids, {}, 0};
  fit.inertia = pass(x, centroids, &fit.labels, nullptr);
  return fit;
}

/// Of three k-means++ starts, each on a sample of its own, the one that fits a further sample best.
Tensor best_start(const Rows& x, int64_t clusters, int64_t batch, Random& random) {
  const int64_t wanted = 3 * batch < clusters ? 3 * clusters : 3 * batch;
  const bool all = wanted >= x.count();
  const Tensor validation = draw_rows(x, std::min(wanted, x.count()), nullptr, random);
  Tensor sample = all ? x.block(0, x.count()) : Tensor(), best;
  Assignment assignment;
  double lowest = std::numeric_limits<double>::infinity();
  for (int start = 0; start < 3; ++start) {
    if (!all) sample = draw_rows(x, wanted, nullptr, random);
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
  MiniBatch(const Rows& x, Tensor centroids, int64_t batch, Random& random)
      : x_(x),
        batch_(batch),
        centroids_(std::move(centroids)),
        means_(centroids_.rows(), x.width()),
        random_(random),
        windows_(x.count(), Random(random.seed(), 1)) {}
  const Tensor& centroids() const { return centroids_; }

  /// Draws a batch, moves the centroids; returns the batch's inertia before the move.
  double step() {
    const bool reassigns = is_time_to_reassign();
    rows_ = Tensor();  // its memory serves the next batch
    rows_ = draw_rows(x_, batch_, window(), random_);
    const double inertia = assignment_.update(rows_, centroids_);
    means_.add(rows_, assignment_.labels);
    means_.move(centroids_);
    if (reassigns) reassign();
    return inertia;
  }

 private:
  static constexpr double reassignment_ratio = 0.01;

  /// Goes on when as many rows have been drawn as it has.
  const std::vector<int64_t>* window() {
    if (left_ <= 0) {
      window_ = windows_.next();
      const bool all = int64_t(window_.size()) == x_.count();
      if (!all) x_.announce(window_);
      left_ = all ? std::numeric_limits<int64_t>::max() : int64_t(window_.size());
    }
    left_ -= batch_;
    return &window_;
  }

  /// While a cluster has never had a member, and else each time ten rows per cluster have been seen.
  bool is_time_to_reassign() {
    since_reassignment_ += batch_;
    const std::vector<double>& counts = means_.counts();
    const bool empty = std::find(counts.begin(), counts.end(), 0.0) != counts.end();
    if (!empty && since_reassignment_ < 10 * centroids_.rows()) return false;
    since_reassignment_ = 0;
    return true;
  }

  /// Clusters with under 0.01 of the largest count, at most half a batch of them, start anew at rows of the batch; with
  /// the smallest count of the others, so that they are not moved again at once.
  void reassign() {
    std::vector<double>& counts = means_.counts();
    const double threshold = reassignment_ratio * *std::max_element(counts.begin(), counts.end());
    std::vector<size_t> order(counts.size());
    std::iota(order.begin(), order.end(), size_t(0));
    std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return counts[a] < counts[b]; });
    const auto is_small = [&](size_t j) { return counts[j] < threshold; };
    const int64_t small = std::find_if_not(order.begin(), order.end(), is_small) - order.begin();
    const int64_t moved = std::min(small, rows_.rows() / 2);
    const double count = counts[order[size_t(moved)]];
    const std::vector<int64_t> rows = random_.permutation(rows_.rows());
    for (size_t i = 0; i < size_t(moved); ++i) {
      const int64_t to = int64_t(order[i]);
      tensor::copy(centroids_.range(to, to + 1), rows_.range(rows[i], rows[i] + 1));
      counts[order[i]] = count;
    }
  }

  const Rows& x_;
  int64_t batch_;
  Tensor centroids_, rows_;
  Means means_;
  Random& random_;
  Windows windows_;
  std::vector<int64_t> window_;
  int64_t left_ = 0;  ///< rows to draw from the window
  Assignment assignment_;
  int64_t since_reassignment_ = 0;
};

/// Gives each empty cluster the point that is farthest from its centroid, of those that do not leave a cluster empty.
/// Points that lie on their centroid stay.
void fill_empty(Assignment& assignment, int64_t clusters) {
  std::vector<int64_t> sizes = sizes_of(assignment.labels, clusters), empty;
  for (size_t j = 0; j < sizes.size(); ++j) {
    if (sizes[j] == 0) empty.push_back(int64_t(j));
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

KMeans fit_kmeans(const Rows& x, const Settings::KMeans& settings, uint64_t seed) {
  const int64_t items = x.count(), clusters = settings.clusters;
  tensor::check(items > 0, "kmeans: no items");
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
  int64_t steps = 0;
  for (bool stalled = false; !stalled && steps < passes * items / batch; ++steps) stalled = stall.after(fit.step());
  Means means(clusters, x.width());
  pass(x, fit.centroids(), nullptr, &means);
  means.move(fit.centroids());
  KMeans result = assigned(x, fit.centroids());
  result.steps = steps;
  return result;
}

KMeans assign_kmeans(const Rows& x, const Tensor& centroids) {
  tensor::check(x.count() > 0, "kmeans: no items");
  tensor::check(
      centroids.rank() == 2 && centroids.dtype() == DType::f32 && centroids.rows() > 0 && centroids.cols() == x.width(),
      "kmeans: expected float32 centroids [clusters, {}], found {} {}", x.width(), name_of(centroids.dtype()),
      centroids.shape());
  return assigned(x, centroids);
}

KMeans fit_lloyd(const Tensor& x, int64_t clusters, int64_t iterations, uint64_t seed) {
  check_points(x);
  tensor::check(clusters >= 1, "kmeans: expected at least one cluster, found {}", clusters);
  Random random(seed);
  const Tensor centroids = plus_plus(x, clusters, random);
  Assignment assignment;
  std::vector<int32_t> before;
  for (int64_t i = 0; i < iterations; ++i) {
    assignment.update(x, centroids);
    if (assignment.labels == before) break;
    before = assignment.labels;
    fill_empty(assignment, clusters);
    Means means(clusters, x.cols());
    means.add(x, assignment.labels);
    means.move(centroids);
  }
  return assigned(x, centroids);
}

}  // namespace ace
