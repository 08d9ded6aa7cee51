#include "ace/rows.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <numeric>

#include "kernels/load_rows.h"
#include "tensor/dispatch.h"

namespace ace {

using tensor::check;
using tensor::DType;
using tensor::Tensor;

namespace {
constexpr tensor::TypeList<float, double, tensor::f16, tensor::bf16> stored_types;
}

Rows::Rows(Tensor x, bool unit) : x_(std::move(x)), unit_(unit) {
  const DType type = x_.dtype();
  check(x_.defined() && x_.rank() == 2 && x_.cols() > 0 &&
            (type == DType::f32 || type == DType::f64 || type == DType::f16 || type == DType::bf16),
        "embeddings: expected float16, float32 or float64 [items, width], found {} {}", name_of(type), x_.shape());
  advise(0, x_.rows(), MADV_RANDOM);
}

Rows Rows::on(tensor::Device device) const {
  Rows result = *this;
  result.device_ = device;
  return result;
}

Tensor Rows::block(int64_t begin, int64_t end) const {
  check(0 <= begin && begin <= end && end <= count(), "embeddings: rows {} to {} of {}", begin, end, count());
  if (!items_) return load(nullptr, begin, end - begin);
  const std::vector<int64_t> rows(items_->begin() + begin, items_->begin() + end);
  return load(rows.data(), 0, end - begin);
}

/// A hint about the pages of rows begin … end − 1; where x is no file it says nothing, and costs nothing.
void Rows::advise(int64_t begin, int64_t end, int advice) const {
  static const uintptr_t page = uintptr_t(sysconf(_SC_PAGESIZE));
  const uintptr_t row = uintptr_t(width() * size_of(x_.dtype())), x = reinterpret_cast<uintptr_t>(x_.raw());
  const uintptr_t first = (x + uintptr_t(begin) * row) / page * page;
  madvise(reinterpret_cast<void*>(first), x + uintptr_t(end) * row - first, advice);
}

void Rows::announce(std::span<const int64_t> rows) const {
  for (size_t begin = 0, end = 0; begin < rows.size(); begin = end) {
    for (end = begin + 1; end < rows.size() && rows[end] == rows[end - 1] + 1;) ++end;
    advise(rows[begin], rows[end - 1] + 1, MADV_WILLNEED);
  }
}

Tensor Rows::gather(std::span<const int64_t> rows) const {
  if (!items_) return load(rows.data(), 0, int64_t(rows.size()));
  std::vector<int64_t> inner;
  for (int64_t row : rows) inner.push_back((*items_)[size_t(row)]);
  return load(inner.data(), 0, int64_t(inner.size()));
}

/// `rows` of x, or n of them from `begin` on.
Tensor Rows::load(const int64_t* rows, int64_t begin, int64_t n) const {
  if (rows == nullptr) advise(begin, begin + n, MADV_WILLNEED);
  if (rows == nullptr && !unit_ && !labels_ && x_.dtype() == DType::f32) return x_.range(begin, begin + n).to(device_);
  Tensor result({n, width()}, DType::f32);
  kernels::RowForm form{unit_, nullptr, nullptr};
  if (labels_) form.centroids = centroids_.data<float>(), form.labels = labels_->data() + begin;
  const kernels::Cpu cpu;
  tensor::dispatch(stored_types, x_, [&](auto, auto type) {
    using T = decltype(type);
    const T* const x = x_.data<T>() + begin * width();
    const int64_t wrong = kernels::load_rows(cpu, x, rows, form, result.data<float>(), n, width());
    check(wrong < 0, "embeddings: row {} {}", rows == nullptr ? begin + wrong : rows[std::max<int64_t>(wrong, 0)],
          unit_ ? "is all zeros or not finite, and has no direction" : "holds a number that is not finite");
  });
  return result.to(device_);
}

int64_t Rows::block_rows() const {
  constexpr int64_t elements = int64_t(1) << 20;  // 4 MiB: with the centroids well within a third-level cache
  return std::clamp<int64_t>(elements / width(), 64, 8192);
}

Rows Rows::only(std::vector<int32_t> items) const {
  check(!items_, "embeddings: a selection of a selection");
  Rows result = *this;
  result.items_ = std::make_shared<const std::vector<int32_t>>(std::move(items));
  return result;
}

Rows Rows::less(const Tensor& centroids, std::vector<int32_t> labels) const {
  check(!items_ && !labels_ && int64_t(labels.size()) == count() && centroids.cols() == width(),
        "embeddings: {} labels and centroids {} for {} rows of {}", labels.size(), centroids.shape(), count(), width());
  Rows result = *this;
  result.centroids_ = centroids;
  result.labels_ = std::make_shared<const std::vector<int32_t>>(std::move(labels));
  return result;
}

std::vector<int64_t> Windows::next() {
  std::vector<int64_t> window;
  if (rows_ <= run * runs) {
    window.resize(size_t(rows_));
    std::iota(window.begin(), window.end(), int64_t(0));
    return window;
  }
  if (order_.empty()) order_ = random_.permutation((rows_ + run - 1) / run);
  for (int64_t i = 0; i < runs && !order_.empty(); ++i, order_.pop_back()) {
    const int64_t first = order_.back() * run;
    for (int64_t row = first; row < std::min(first + run, rows_); ++row) window.push_back(row);
  }
  return window;
}

}  // namespace ace
