#include "kernels/top_k.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace kernels {
namespace {

int64_t capacity(int64_t k) { return 2 * k + 16; }

/// The best k of the extensions seen so far, and some more: whenever the memory is full, all but the best k go, and the
/// bar rises to the worst of those. What does not reach the bar need not be looked at.
class Best {
 public:
  Best(Extension* memory, int64_t k) : memory_(memory), k_(k) {}
  double bar() const { return bar_; }
  void add(const Extension& extension) {
    memory_[size_++] = extension;
    if (size_ < capacity(k_)) return;
    std::nth_element(memory_, memory_ + k_ - 1, memory_ + size_);
    size_ = k_;
    bar_ = memory_[k_ - 1].score;
  }
  /// Writes them in order; how many there are.
  int32_t finish(Extension* found) {
    const int64_t kept = std::min(size_, k_);
    if (kept < size_) std::nth_element(memory_, memory_ + kept, memory_ + size_);
    std::sort(memory_, memory_ + kept);
    std::copy_n(memory_, kept, found);
    return int32_t(kept);
  }

 private:
  Extension* memory_;
  int64_t k_, size_ = 0;
  double bar_ = -infinity<double>;
};

/// A logarithm of a probability so low that score + it does not reach the bar, nor does anything below it.
template <class A>
A too_low(double bar, double score) {
  const double gap = bar - score,
               rounding = 4 * std::numeric_limits<double>::epsilon() * (std::abs(bar) + std::abs(score));
  return A(gap - rounding - 4 * double(std::numeric_limits<A>::epsilon()) * std::abs(gap));
}

/// Which of n ≤ 64 logits have x − total ≥ limit, as bits.
template <class T, class A>
uint64_t reaching(const T* x, int64_t n, A total, A limit) {
  uint64_t bits = 0;
  for (int64_t i = 0; i < n; ++i) bits |= uint64_t(A(x[i]) - total >= limit) << i;
  return bits;
}

/// One function for all callers, so that the compiler rounds it in one way.
template <class T>
[[gnu::noinline]] RowNormaliser<Accumulator<T>> normaliser(const T* x, int64_t cols) {
  return row_normaliser(OneThread(), x, cols);
}

template <class T>
void add_row(const Beams<T>& beams, int64_t row, Accumulator<T> total, Best& best) {
  using A = Accumulator<T>;
  const T* x = beams.logits + row * beams.vocabulary;
  const double score = beams.score[row];
  for (int64_t w = 0; w < mask_words(beams.vocabulary); ++w) {
    const int64_t begin = 64 * w, n = std::min<int64_t>(64, beams.vocabulary - begin);
    const uint64_t allowed = allowed_word(beams, row, w);
    if (allowed == 0) continue;
    uint64_t left = allowed & reaching(x + begin, n, total, too_low<A>(best.bar(), score));
    for (; left != 0; left &= left - 1) {
      const int64_t token = begin + std::countr_zero(left);
      const double extended = score + double(A(x[token]) - total);
      if (extended < best.bar() || extended == -infinity<double>) continue;
      best.add({extended, beams.rank[row], int32_t(row), int32_t(token)});
    }
  }
}

template <class T>
int32_t top_k_query(const Beams<T>& beams, int64_t q, int64_t k, Extension* found, Extension* scratch) {
  Best best(scratch, k);
  bool numbers = beams.alive[q] >= 0;
  for (int64_t row = q * beams.width; row < q * beams.width + beams.alive[q]; ++row) {
    const auto norm = normaliser(beams.logits + row * beams.vocabulary, beams.vocabulary);
    const auto total = norm.log_total();
    numbers &= total == total;
    // Rounding keeps order, so no extension of the row is above that by its best logit.
    if (beams.score[row] + double(norm.max - total) >= best.bar()) {
      add_row(beams, row, total, best);
    }
  }
  return numbers ? best.finish(found) : -1;
}

}  // namespace

template <class T>
void top_k(Cpu cpu, const Beams<T>& beams, int64_t k, Extension* found, int32_t* count) {
  cpu.parallel(beams.queries, beams.width * beams.vocabulary * 12, [&](int64_t begin, int64_t end) {
    auto* const scratch = static_cast<Extension*>(Cpu::scratch(0, capacity(k) * int64_t(sizeof(Extension))));
    for (int64_t q = begin; q < end; ++q) count[q] = top_k_query(beams, q, k, found + q * k, scratch);
  });
}

template <class T>
void top_k_plain(const Beams<T>& beams, int64_t k, Extension* found, int32_t* count, Extension* scratch) {
  for (int64_t q = 0; q < beams.queries; ++q) {
    int64_t all = 0;
    bool numbers = beams.alive[q] >= 0;
    for (int64_t row = q * beams.width; row < q * beams.width + beams.alive[q]; ++row) {
      const T* x = beams.logits + row * beams.vocabulary;
      const auto total = normaliser(x, beams.vocabulary).log_total();
      numbers = numbers && !std::isnan(total);
      for (int64_t t = 0; t < beams.vocabulary; ++t) {
        if (!(allowed_word(beams, row, t / 64) >> t % 64 & 1)) continue;
        const double score = beams.score[row] + double(x[t] - total);
        if (score > -infinity<double>) scratch[all++] = {score, beams.rank[row], int32_t(row), int32_t(t)};
      }
    }
    count[q] = numbers ? int32_t(std::min(all, k)) : -1;
    if (!numbers) continue;
    std::sort(scratch, scratch + all);
    std::copy_n(scratch, count[q], found + q * k);
  }
}

#define ACE_INSTANTIATE(T)                                                  \
  template void top_k(Cpu, const Beams<T>&, int64_t, Extension*, int32_t*); \
  template void top_k_plain(const Beams<T>&, int64_t, Extension*, int32_t*, Extension*);
ACE_INSTANTIATE(float)
ACE_INSTANTIATE(double)

}  // namespace kernels
