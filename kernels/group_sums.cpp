#include "kernels/group_sums.h"

#include "kernels/rows.h"

namespace kernels {

// The threads share the columns.
void group_sums(Cpu cpu, const float* x, const int32_t* labels, double* sums, int64_t n, int64_t, int64_t d) {
  cpu.parallel(d, 2 * n, [=](int64_t begin, int64_t end) {
    for (int64_t i = 0; i < n; ++i) {
      const float* const from = x + i * d + begin;
      double* const to = sums + labels[i] * d + begin;
      OneThread().each(end - begin, [=](int64_t c) { to[c] += double(from[c]); });
    }
  });
}

}  // namespace kernels
