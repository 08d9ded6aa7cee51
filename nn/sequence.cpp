#include "nn/sequence.h"

#include <algorithm>
#include <bit>
#include <numeric>

namespace nn {

using tensor::DType;
using tensor::Shape;
using tensor::Tensor;

Sequences Sequences::of_lengths(std::span<const int64_t> lengths) {
  const int64_t rows = std::accumulate(lengths.begin(), lengths.end(), int64_t(0));
  tensor::check(rows <= INT32_MAX, "sequences: {} rows do not fit 32-bit offsets", rows);
  Sequences result{Tensor(Shape{int64_t(lengths.size()) + 1}, DType::i32), Tensor(Shape{rows}, DType::i32),
                   lengths.empty() ? 0 : *std::max_element(lengths.begin(), lengths.end())};
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
  TextBatch batch{{}, Sequences::of_lengths(lengths), 0};
  batch.tokens = Tensor(Shape{batch.sequences.rows()}, DType::i32);
  int32_t* to = batch.tokens.data<int32_t>();
  for (const auto& text : texts) to = std::copy(text.begin(), text.end(), to);
  return batch;
}

int64_t step_of_rows(int64_t rows) { return std::max<int64_t>(32, int64_t(std::bit_floor(uint64_t(rows) / 16))); }

TextBatch TextBatch::padded() const {
  // Dead texts are no longer than others may be, and none is empty: attention to nothing is no number.
  const int64_t live = sequences.rows(), step = step_of_rows(live), texts = std::max<int64_t>(step / 64, 1);
  const int64_t rows = (live + texts + step - 1) / step * step, count = sequences.count();
  const auto longer = [](const Tensor& x, int64_t n) {
    Tensor result = tensor::zeros(Shape{n}, DType::i32);
    std::ranges::copy(x.values<int32_t>(), result.data<int32_t>());
    return result;
  };
  const int64_t longest = int64_t(std::bit_ceil(uint64_t(std::max<int64_t>(sequences.longest, 64))));
  TextBatch batch{longer(tokens, rows),
                  {longer(sequences.offsets, count + 1 + texts), longer(sequences.positions, rows), longest},
                  dead + texts};
  int32_t* const offsets = batch.sequences.offsets.data<int32_t>() + count;
  for (int64_t t = 1; t <= texts; ++t) offsets[t] = int32_t(live + (rows - live) * t / texts);
  return batch;
}

}  // namespace nn
