#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "tensor/tensor.h"

namespace nn {

/// Where packed sequences begin: sequence b owns rows offsets[b] … offsets[b + 1] − 1 of a [rows, d] tensor. Row
/// operations do not see sequences; only positions and attention take the offsets.
struct Sequences {
  tensor::Tensor offsets;    ///< i32 [B + 1], climbing from 0
  tensor::Tensor positions;  ///< i32 [rows]: 0, 1, 2, … anew in each sequence
  int64_t longest = 0;       ///< no position is above longest − 1
  int64_t count() const { return offsets.elements() - 1; }
  int64_t rows() const { return positions.elements(); }

  static Sequences of_lengths(std::span<const int64_t> lengths);
  /// `count` sequences of `length` rows each.
  static Sequences uniform(int64_t count, int64_t length);
};

/// Token ids of several texts, one after another.
struct TextBatch {
  tensor::Tensor tokens;  ///< i32 [rows]
  Sequences sequences;
  int64_t dead = 0;  ///< so many texts at the end stand for nothing
  static TextBatch pack(std::span<const std::vector<int32_t>> texts);
  /// With dead texts behind, so that batches of as many texts have few shapes: rows are a multiple of step_of_rows,
  /// `longest` is a power of two and at least 64. What the model makes of the others stays.
  TextBatch padded() const;
};

/// A power of two and at most a sixteenth of the rows, but at least 32: 2 % of all rows are dead then, on average.
int64_t step_of_rows(int64_t rows);

}  // namespace nn
