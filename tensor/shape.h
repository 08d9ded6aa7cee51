#pragma once
#include <fmt/core.h>

#include <array>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>

namespace tensor {

/// The sizes of a tensor, outermost first; at most 6 of them; no sizes means one element. A plain value without heap.
class Shape {
 public:
  static constexpr int max_rank = 6;
  Shape() = default;
  Shape(std::initializer_list<int64_t> sizes) : Shape(std::span<const int64_t>(sizes.begin(), sizes.size())) {}
  /// Fails on more than 6 sizes, a negative size, or a product that overflows.
  explicit Shape(std::span<const int64_t> sizes);

  int rank() const { return rank_; }
  int64_t operator[](int i) const { return sizes_[i < 0 ? i + rank_ : i]; }
  int64_t back() const { return rank_ ? sizes_[rank_ - 1] : 1; }
  const int64_t* begin() const { return sizes_.data(); }
  const int64_t* end() const { return sizes_.data() + rank_; }

  /// Product of all sizes.
  int64_t elements() const;
  /// Elements over the last dimension's: how many rows the tensor has when seen as a matrix.
  int64_t rows() const;
  /// The same shape with dimension `axis` replaced (negative counts from the end).
  Shape with(int axis, int64_t size) const;

  bool operator==(const Shape& other) const;
  /// `[2, 3]`
  std::string text() const;

 private:
  std::array<int64_t, max_rank> sizes_{};
  int rank_ = 0;
};

}  // namespace tensor

template <>
struct fmt::formatter<tensor::Shape> : fmt::formatter<std::string> {
  fmt::format_context::iterator format(const tensor::Shape& shape, fmt::format_context& context) const;
};
