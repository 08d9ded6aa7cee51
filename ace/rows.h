#pragma once
#include <memory>
#include <span>
#include <vector>

#include "tensor/random.h"
#include "tensor/tensor.h"

namespace ace {

/// Rows of numbers as K-Means and the RQ-VAE read them, f32 [n, D] at a time: worked out where they are read, so that
/// the N rows stay as and where they are (mapped from a file, in its type) and no copy of all is made.
///   row_i = x_r / ‖x_r‖ − μ_label(r),   r = items_i: with or without each of the three
class Rows {
 public:
  /// x: [N, D] f16, bf16, f32 or f64. `unit`: each row scaled to length 1.
  Rows(tensor::Tensor x, bool unit = false);
  int64_t count() const { return items_ ? int64_t(items_->size()) : x_.rows(); }
  int64_t width() const { return x_.cols(); }

  /// The same rows, given on a device.
  Rows on(tensor::Device device) const;
  tensor::Device device() const { return device_; }

  /// Rows begin … end − 1; shows x itself where that is what they are. A row that is not finite, or, where it is to
  /// have length 1, all zeros, fails with its number in x.
  tensor::Tensor block(int64_t begin, int64_t end) const;
  /// These rows, in this order.
  tensor::Tensor gather(std::span<const int64_t> rows) const;
  /// Has a file read these rows, ascending, in one go: gather will be asked for them. What is not announced is read
  /// page by page, since the system's own reading ahead, megabytes around each row, would be of others.
  void announce(std::span<const int64_t> rows) const;
  /// Number of rows whose block stays in the cache of the processor.
  int64_t block_rows() const;

  /// These rows alone. Of all rows only, not of a selection.
  Rows only(std::vector<int32_t> items) const;
  /// Each row less its centroid, centroids [K, D] f32. Of all rows only, and once.
  Rows less(const tensor::Tensor& centroids, std::vector<int32_t> labels) const;

 private:
  tensor::Tensor load(const int64_t* rows, int64_t begin, int64_t n) const;
  void advise(int64_t begin, int64_t end, int advice) const;
  tensor::Tensor x_, centroids_;
  bool unit_;
  tensor::Device device_ = tensor::Device::cpu;
  std::shared_ptr<const std::vector<int32_t>> labels_, items_;
};

/// Goes through N rows by windows: all of them, or, of more than 2¹⁷, each time the next 512 runs of 256 rows from
/// places drawn at random, all once a round. Who draws from a window reads a file that is larger than memory in runs,
/// longer than what the system reads ahead, and still gets rows from all over it.
class Windows {
 public:
  Windows(int64_t rows, tensor::Random random) : rows_(rows), random_(random) {}
  /// Ascending within each run.
  std::vector<int64_t> next();

 private:
  static constexpr int64_t run = 256, runs = 512;
  int64_t rows_;
  tensor::Random random_;
  std::vector<int64_t> order_;  ///< of the runs not yet given out
};

}  // namespace ace
