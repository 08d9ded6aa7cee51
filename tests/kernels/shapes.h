#pragma once
#include <vector>

#include "kernels/arithmetic.h"

namespace kernels {

/// Two shapes of one rank, aligned; 1 stretches.
struct Shapes {
  std::vector<int64_t> a, b;
};

inline int64_t product(const std::vector<int64_t>& sizes) {
  int64_t n = 1;
  for (const int64_t size : sizes) n *= size;
  return n;
}

inline Broadcast broadcast(const Shapes& s) {
  Broadcast result;
  result.rank = int(s.a.size());
  int64_t a_stride = 1, b_stride = 1;
  for (int d = result.rank - 1; d >= 0; --d) {
    const int64_t a = s.a[size_t(d)], b = s.b[size_t(d)];
    result.size[d] = a == 1 ? b : a;
    result.a_stride[d] = a == 1 ? 0 : a_stride, result.b_stride[d] = b == 1 ? 0 : b_stride;
    a_stride *= a, b_stride *= b;
  }
  return result;
}

inline int64_t elements(const Broadcast& s) {
  int64_t n = 1;
  for (int d = 0; d < s.rank; ++d) n *= s.size[d];
  return n;
}

}  // namespace kernels
