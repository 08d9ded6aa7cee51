#include "ace/dual_tower.h"

#include <algorithm>

#include "ace/rows.h"
#include "kernels/gemm.h"

namespace ace {

using tensor::DType;
using tensor::Shape;
using tensor::Tensor;

DualTower::DualTower(const DualTowerOptions& options, nn::Initializer& init)
    : heads_(options.heads),
      encoder_(options.vocabulary, options.width, options.heads, options.inner, options.layers, init),
      projection_(options.item_width, options.width, init) {}

nn::Variable DualTower::project(const nn::TextBatch& text, nn::Pass& pass) const {
  return projection_(mean_pool(encoder_.forward(text, pass).back(), text.sequences.offsets, heads_));
}

Tensor DualTower::embed(const nn::TextBatch& text) const {
  const autograd::NoGrad inference;
  nn::Pass pass;
  return Rows(project(text, pass).value(), true).block(0, text.sequences.count());
}

void DualTower::parameters(const std::string& name, nn::Parameters& into) const {
  encoder_.parameters(nn::join(name, "encoder"), into);
  projection_.parameters(nn::join(name, "projection"), into);
}

nn::Variable mean_pool(const nn::Variable& x, const Tensor& offsets, int64_t heads) {
  // A query of zeros scores all rows alike, so its attention is their mean.
  const int64_t count = offsets.elements() - 1;
  const nn::Variable query(tensor::zeros(Shape{count, x.cols()}, x.dtype())), keys(tensor::zeros_like(x.value()));
  return autograd::attention(query, keys, x, nn::Sequences::uniform(count, 1).offsets, offsets, heads, false);
}

namespace {

bool better(const Match& a, const Match& b) { return a.score != b.score ? a.score > b.score : a.item < b.item; }

/// The best so far of one query: a heap with the worst of them in front.
class Best {
 public:
  explicit Best(size_t top) : top_(top) {}

  /// Items `first`, `first + 1`, … in ascending order from call to call; so of equal scores those that are here stay.
  void take(const float* scores, int64_t count, int32_t first) {
    constexpr int64_t stretch = 64;
    for (int64_t begin = 0; begin < count; begin += stretch) {
      const int64_t end = std::min(begin + stretch, count);
      if (matches_.size() == top_ && !any_above(scores + begin, end - begin, matches_.front().score)) continue;
      for (int64_t i = begin; i < end; ++i) take({scores[i], first + int32_t(i)});
    }
  }
  std::vector<Match> sorted() && {
    std::sort(matches_.begin(), matches_.end(), better);
    return std::move(matches_);
  }

 private:
  static bool any_above(const float* scores, int64_t count, float limit) {
    int above = 0;
#pragma omp simd reduction(| : above)
    for (int64_t i = 0; i < count; ++i) above |= scores[i] > limit ? 1 : 0;
    return above != 0;
  }
  void take(const Match& match) {
    if (matches_.size() == top_) {
      if (!(match.score > matches_.front().score)) return;
      std::pop_heap(matches_.begin(), matches_.end(), better);
      matches_.pop_back();
    } else if (match.score != match.score) {
      return;
    }
    matches_.push_back(match);
    std::push_heap(matches_.begin(), matches_.end(), better);
  }

  size_t top_;
  std::vector<Match> matches_;
};

void check_vectors(const Tensor& x, const char* what) {
  tensor::check(x.rank() == 2 && x.dtype() == DType::f32, "dual tower: expected {} float32 [rows, width], found {} {}",
                what, name_of(x.dtype()), x.shape());
}

}  // namespace

std::vector<std::vector<Match>> best_items(const Tensor& queries, const Tensor& items, int64_t top) {
  check_vectors(queries, "queries");
  check_vectors(items, "items");
  const int64_t count = queries.rows(), width = queries.cols(), n = items.rows();
  tensor::check(items.cols() == width, "dual tower: expected items of width {}, as queries have, found {}", width,
                items.cols());
  tensor::check(top >= 1 && n <= INT32_MAX, "dual tower: expected top from 1 and items below 2^31, found {} and {}",
                top, n);
  constexpr int64_t block = 4096;  // items whose products with some hundred queries stay in the caches
  const Tensor scores(Shape{count, std::min(block, n)}, DType::f32);
  const int64_t stride = scores.cols();
  std::vector<Best> best(size_t(count), Best(size_t(std::min(top, n))));
  for (int64_t first = 0; first < n; first += block) {
    const int64_t some = std::min(block, n - first);
    const float* rows = items.data<float>() + first * width;
    kernels::gemm<float>(kernels::Cpu(), count, some, width, 1, {queries.data<float>(), width}, {rows, width, true}, 0,
                         scores.data<float>(), stride);
    kernels::Cpu().parallel(count, 2 * some, [&](int64_t begin, int64_t end) {
      for (int64_t q = begin; q < end; ++q) {
        best[size_t(q)].take(scores.data<float>() + q * stride, some, int32_t(first));
      }
    });
  }
  std::vector<std::vector<Match>> result;
  for (Best& matches : best) result.push_back(std::move(matches).sorted());
  return result;
}

}  // namespace ace
