#include "ace/redraw.h"

#include <algorithm>
#include <numeric>

namespace ace {
namespace {

using tensor::Tensor;

/// Rows of the batch, worst reconstructed by their entry of codebook m first.
std::vector<int64_t> worst_rows(const Tensor& codebook, const nn::Quantised& batch, size_t m) {
  const Tensor residual = batch.residuals[m].to(tensor::Device::cpu), table = codebook.to(tensor::Device::cpu),
               codes = batch.codes[m].to(tensor::Device::cpu);
  const int64_t width = table.cols();
  std::vector<double> error(size_t(residual.rows()));
  for (int64_t b = 0; b < residual.rows(); ++b) {
    const float* r = residual.data<float>() + b * width;
    const float* e = table.data<float>() + codes.data<int32_t>()[b] * width;
    for (int64_t c = 0; c < width; ++c) error[size_t(b)] += double(r[c] - e[c]) * double(r[c] - e[c]);
  }
  std::vector<int64_t> order(error.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [&](int64_t a, int64_t b) { return error[size_t(a)] > error[size_t(b)]; });
  return order;
}

}  // namespace

Redraw::Redraw(const nn::ResidualQuantiser& quantiser, int64_t limit) : limit_(limit) {
  for (const nn::Variable& codebook : quantiser.codebooks) idle_.emplace_back(size_t(codebook.size(0)), 0);
}

int64_t Redraw::apply(const nn::ResidualQuantiser& quantiser, const nn::Quantised& batch) {
  constexpr size_t most = 64;  // steps that are kept
  if (limit_ == 0) return 0;
  unseen_.push_back(batch.codes);
  if (longest_ + int64_t(unseen_.size()) < limit_ && unseen_.size() < most) return 0;
  int64_t redrawn = 0;
  longest_ = 0;
  for (size_t m = 0; m < idle_.size(); ++m) {
    const std::vector<int32_t> due = count(m);
    if (!due.empty()) {
      const Tensor& codebook = quantiser.codebooks[m].value();
      const std::vector<int64_t> worst = worst_rows(codebook, batch, m);
      for (size_t i = 0; i < due.size() && i < worst.size(); ++i, ++redrawn) {
        tensor::copy(codebook.range(due[i], due[i] + 1), batch.residuals[m].range(worst[i], worst[i] + 1));
        idle_[m][size_t(due[i])] = 0;
      }
    }
    longest_ = std::max(longest_, *std::ranges::max_element(idle_[m]));
  }
  unseen_.clear();
  return redrawn;
}

std::vector<int32_t> Redraw::count(size_t m) {
  std::vector<int64_t>& idle = idle_[m];
  for (const Codes& step : unseen_) {
    for (int64_t& steps : idle) ++steps;
    const Tensor codes = step[m].to(tensor::Device::cpu);
    for (const int32_t code : codes.values<int32_t>()) idle[size_t(code)] = 0;
  }
  std::vector<int32_t> due;
  for (size_t j = 0; j < idle.size(); ++j) {
    if (idle[j] >= limit_) due.push_back(int32_t(j));
  }
  return due;
}

}  // namespace ace
