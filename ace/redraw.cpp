#include "ace/redraw.h"

#include <algorithm>
#include <numeric>

namespace ace {
namespace {

using tensor::Tensor;

/// Rows of the batch, worst reconstructed by their entry of codebook m first.
std::vector<int64_t> worst_rows(const Tensor& codebook, const nn::Quantised& batch, size_t m) {
  const Tensor residual = batch.residuals[m].to(tensor::Device::cpu), table = codebook.to(tensor::Device::cpu),
               &codes = batch.codes;
  const int64_t width = table.cols();
  std::vector<double> error(size_t(residual.rows()));
  for (int64_t b = 0; b < residual.rows(); ++b) {
    const float* r = residual.data<float>() + b * width;
    const float* e = table.data<float>() + codes.data<int32_t>()[b * codes.cols() + int64_t(m)] * width;
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
  int64_t redrawn = 0;
  for (size_t m = 0; limit_ > 0 && m < idle_.size(); ++m) {
    const std::vector<int32_t> due = count(batch.codes, m);
    if (due.empty()) continue;
    const Tensor& codebook = quantiser.codebooks[m].value();
    const std::vector<int64_t> worst = worst_rows(codebook, batch, m);
    for (size_t i = 0; i < due.size() && i < worst.size(); ++i, ++redrawn) {
      tensor::copy(codebook.range(due[i], due[i] + 1), batch.residuals[m].range(worst[i], worst[i] + 1));
      idle_[m][size_t(due[i])] = 0;
    }
  }
  return redrawn;
}

std::vector<int32_t> Redraw::count(const Tensor& codes, size_t m) {
  std::vector<int64_t>& idle = idle_[m];
  for (int64_t& steps : idle) ++steps;
  for (int64_t b = 0; b < codes.rows(); ++b) {
    idle[size_t(codes.data<int32_t>()[b * codes.cols() + int64_t(m)])] = 0;
  }
  std::vector<int32_t> due;
  for (size_t j = 0; j < idle.size(); ++j) {
    if (idle[j] >= limit_) due.push_back(int32_t(j));
  }
  return due;
}

}  // namespace ace
