#pragma once
#include <algorithm>

#include "kernels/draw.h"
#include "kernels/dropout.h"
#include "kernels/team.h"

namespace kernels {

/// The factors keep_i / (1 − rate) of a Drop on the CPU, a run of elements at a time.
template <class T>
class Keep {
 public:
  static constexpr int64_t block = 512;  ///< elements of the longest run
  explicit Keep(const Drop& drop) : drop_(drop), kept_(T(1 / (1 - drop.rate))), threshold_(drop.threshold()) {
    std::fill_n(factors_, block, kept_);
  }
  /// Those of elements first … first + n − 1, n ≤ block; they stand until the next call.
  const T* factors(int64_t first, int64_t n) {
    T* const to = factors_;
    if (drop_.mask != nullptr) {
      OneThread().each(n, [=, mask = drop_.mask + first, kept = kept_](int64_t i) { to[i] = mask[i] ? kept : T(0); });
    } else if (drop_.rate > 0) {
      const int64_t counter = first / 8, skipped = first % 8, wanted = (skipped + n + 7) / 8;
      draw(halves_, drop_.key->seed, (drop_.site << 32) + uint64_t(counter), drop_.key->step,
           (wanted + draw_group - 1) / draw_group);
      OneThread().each(n, [=, half = halves_ + skipped, kept = kept_, threshold = threshold_](int64_t i) {
        to[i] = half[i] >= threshold ? kept : T(0);
      });
    }
    return factors_;
  }
  /// f(first, n, factors) for the runs that elements begin … end − 1 are cut into.
  template <class F>
  void for_runs(int64_t begin, int64_t end, const F& f) {
    for (int64_t first = begin; first < end; first += block) {
      const int64_t n = std::min(block, end - first);
      f(first, n, factors(first, n));
    }
  }

 private:
  const Drop drop_;
  const T kept_;
  const uint16_t threshold_;
  alignas(64) uint16_t halves_[block + 8 * draw_group];
  alignas(64) T factors_[block];
};

}  // namespace kernels
