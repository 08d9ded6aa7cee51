#include "nn/sequence.h"

#include <algorithm>
#include <numeric>

namespace nn {

using tensor::DType;
using tensor::Shape;
using tensor::Tensor;

Sequences Sequences::of_lengths(std::span<const int64_t> lengths) {
  const int64_t rows = std::accumulate(lengths.begin(), lengths.end(), int64_t(0));
  tensor::check(rows <= INT32_MAX, "sequences: {} rows do not fit 32-bit offsets", rows);
  Sequences result{Tensor(Shape{int64_t(lengths.size()) + 1}, DType::i32), Tensor(Shape{rows}, DType::i32)};
  int32_t *offsets = result.offsets.data<int32_t>(), *positions = result.positions.data<int32_t>();
  offsets[0] = 0;
  for (size_t b = 0; b < lengths.size(); ++b) {
    std::iota(positions + offsets[b], positions + offsets[b] + lengths[b], 0);
    offsets[b + 1] = offsets[b] + int32_t(lengths[b]);
  }
  return result;
}

Sequences Sequences::uniform(int64_t count, int64_t length) {
  return of_lengths(std::vector<int64_t>(size_t(count), length));
}

TextBatch TextBatch::pack(std::span<const std::vector<int32_t>> texts) {
  std::vector<int64_t> lengths;
  for (const auto& text : texts) lengths.push_back(int64_t(text.size()));
  TextBatch batch{{}, Sequences::of_lengths(lengths)};
  batch.tokens = Tensor(Shape{batch.sequences.rows()}, DType::i32);
  int32_t* to = batch.tokens.data<int32_t>();
  for (const auto& text : texts) to = std::copy(text.begin(), text.end(), to);
  return batch;
}

}  // namespace nn
