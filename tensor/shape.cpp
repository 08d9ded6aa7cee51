#include "tensor/shape.h"

#include <fmt/ranges.h>

#include <algorithm>

#include "tensor/error.h"

namespace tensor {

Shape::Shape(std::span<const int64_t> sizes) {
  check(sizes.size() <= size_t(max_rank), "shape: expected at most {} dimensions, found {}", max_rank, sizes.size());
  rank_ = int(sizes.size());
  std::copy(sizes.begin(), sizes.end(), sizes_.begin());
  int64_t product = 1;
  for (const int64_t size : sizes) {
    check(size >= 0, "shape: {} has a negative size", text());
    check(!__builtin_mul_overflow(product, std::max<int64_t>(size, 1), &product), "shape: {} is too large", text());
  }
}

int64_t Shape::elements() const {
  int64_t product = 1;
  for (const int64_t size : *this) product *= size;
  return product;
}

int64_t Shape::rows() const {
  int64_t product = 1;
  for (int i = 0; i + 1 < rank_; ++i) product *= sizes_[i];
  return product;
}

Shape Shape::with(int axis, int64_t size) const {
  Shape result = *this;
  result.sizes_[axis < 0 ? axis + rank_ : axis] = size;
  return result;
}

bool Shape::operator==(const Shape& other) const { return std::equal(begin(), end(), other.begin(), other.end()); }

std::string Shape::text() const { return fmt::format("[{}]", fmt::join(begin(), end(), ", ")); }

}  // namespace tensor

fmt::format_context::iterator fmt::formatter<tensor::Shape>::format(const tensor::Shape& shape,
                                                                    fmt::format_context& context) const {
  return fmt::formatter<std::string>::format(shape.text(), context);
}
