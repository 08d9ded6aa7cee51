#pragma once
#include <vector>

#include "kernels/attention.h"

namespace kernels {

/// Packed sequences of these lengths, heads and head width; rows of q, k and v lie `gap` elements further apart than
/// they are long.
struct Case {
  std::vector<int64_t> queries, keys;
  int64_t heads, width;
  bool causal;
  int64_t gap = 0;
};

inline std::vector<int32_t> offsets_of(const std::vector<int64_t>& lengths) {
  std::vector<int32_t> offsets{0};
  for (const int64_t length : lengths) offsets.push_back(offsets.back() + int32_t(length));
  return offsets;
}

struct Packed {
  std::vector<int32_t> q_offsets, k_offsets;
  AttentionShape shape;
  int64_t q_rows, k_rows, stride, d;
  explicit Packed(const Case& c)
      : q_offsets(offsets_of(c.queries)),
        k_offsets(offsets_of(c.keys)),
        q_rows(q_offsets.back()),
        k_rows(k_offsets.back()),
        stride(c.heads * c.width + c.gap),
        d(c.heads * c.width) {
    shape = {int64_t(c.queries.size()),
             c.heads,
             c.width,
             q_offsets.data(),
             k_offsets.data(),
             c.causal,
             stride,
             stride,
             stride,
             q_rows,
             k_rows};
  }
};

}  // namespace kernels
