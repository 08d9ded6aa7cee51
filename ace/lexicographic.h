#pragma once
#include <algorithm>
#include <array>
#include <bit>
#include <memory>
#include <span>
#include <vector>

#include "tensor/tensor.h"

namespace ace {

/// The rows of a table of tokens [N, stride] i32 in lexicographic order of their first `positions` tokens; equal rows
/// stay in item order. `items` restricts it to some (ascending); empty means all. Linear time, shared by threads, and
/// 8 bytes a row (16 while it is made). Tokens must not be negative. The table is referred to.
///
/// A row is a word: the tokens of the leading positions, as many as 32 bits hold, above the item. So neighbours compare
/// by their words, and the table, where they stand anywhere, is asked only for what is past those positions.
class LexicographicOrder {
 public:
  LexicographicOrder(const tensor::Tensor& tokens, int64_t positions, std::span<const int32_t> items = {});
  int64_t size() const { return size_; }
  int32_t item(int64_t i) const { return int32_t(uint32_t(words_[size_t(i)])); }
  int32_t token(int64_t i, int64_t j) const {
    if (j >= held_) return row(i)[j];
    const Field field = fields_[size_t(j)];
    return int32_t(words_[size_t(i)] >> field.shift & field.mask);
  }
  /// How many leading positions rows i − 1 and i share, i ≥ 1.
  int64_t shared(int64_t i) const {
    const uint64_t differing = (words_[size_t(i)] ^ words_[size_t(i - 1)]) >> 32;
    if (differing != 0) return position_of_bit_[size_t(std::bit_width(differing) - 1)];
    int64_t same = held_;
    while (same < positions_ && row(i)[same] == row(i - 1)[same]) ++same;
    return same;
  }
  /// Asks for what `token` and `shared` will read some steps after i.
  void prefetch(int64_t i) const {
    if (held_ < positions_) __builtin_prefetch(row(std::min(i + 24, size_ - 1)));
  }

 private:
  struct Field {
    int shift;  ///< of its lowest bit
    uint32_t mask;
  };
  const int32_t* row(int64_t i) const { return table_ + int64_t(item(i)) * stride_; }

  const int32_t* table_;
  int64_t positions_, stride_, size_;
  int64_t held_ = 0;           ///< the leading positions that a word holds
  std::vector<Field> fields_;  ///< [held]
  std::array<uint16_t, 32> position_of_bit_{};
  std::unique_ptr<uint64_t[]> words_;  ///< [size]
};

}  // namespace ace
