#include "kernels/load_rows.h"

#include <atomic>

#include "kernels/math.h"
#include "kernels/rows.h"
#include "kernels/sums.h"

namespace kernels {
namespace {

template <class T>
ACE_HD T widen(T x) {
  return x;
}
ACE_HD float widen(bf16 x) { return float(x); }
/// f16's own conversion without a branch, so that loops vectorise: the fields shifted into place, the exponent's bias
/// changed by 112, by as much again for infinity and NaN; a subnormal is read with the smallest normal's exponent, and
/// that is taken off again.
ACE_HD float widen(f16 x) {
  constexpr uint32_t bias = 112u << 23, exponent = 0x7c00u << 13;
  const uint32_t magnitude = uint32_t(x.bits & 0x7fffu) << 13;
  const uint32_t shifted = magnitude + bias + (magnitude >= exponent ? bias : 0u);
  const float subnormal = std::bit_cast<float>(magnitude + bias + (1u << 23)) - std::bit_cast<float>(bias + (1u << 23));
  const uint32_t bits = magnitude < 1u << 23 ? std::bit_cast<uint32_t>(subnormal) : shifted;
  return std::bit_cast<float>(bits | uint32_t(x.bits & 0x8000u) << 16);
}

/// False when the row has no length that could be divided by, or is not finite.
template <class T>
bool load_row(const T* x, bool unit, const float* centroid, float* y, int64_t d) {
  using A = RowSquare<T>;
  const A square = quick_sum<A>(d, [=](int64_t i) { return A(widen(x[i])) * A(widen(x[i])); });
  if (!(square < infinity<A>) || (unit && square == 0)) return false;
  const A factor = unit ? A(1) / sqrt(square) : A(1);
  if (centroid != nullptr) {
    OneThread().each(d, [=](int64_t i) { y[i] = float(A(widen(x[i])) * factor) - centroid[i]; });
  } else {
    OneThread().each(d, [=](int64_t i) { y[i] = float(A(widen(x[i])) * factor); });
  }
  return true;
}

}  // namespace

template <class T>
int64_t load_rows(Cpu cpu, const T* x, const int64_t* rows, RowForm form, float* y, int64_t n, int64_t d) {
  std::atomic<int64_t> wrong = n;
  cpu.parallel(n, 4 * d, [&, x, rows, form, y, d](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t r = rows == nullptr ? i : rows[i];
      const float* const centroid = form.centroids == nullptr ? nullptr : form.centroids + form.labels[r] * d;
      if (load_row(x + r * d, form.unit, centroid, y + i * d, d)) continue;
      int64_t first = wrong;
      while (i < first && !wrong.compare_exchange_weak(first, i)) {
      }
      return;
    }
  });
  return wrong < n ? wrong.load() : -1;
}

template int64_t load_rows(Cpu, const float*, const int64_t*, RowForm, float*, int64_t, int64_t);
template int64_t load_rows(Cpu, const double*, const int64_t*, RowForm, float*, int64_t, int64_t);
template int64_t load_rows(Cpu, const f16*, const int64_t*, RowForm, float*, int64_t, int64_t);
template int64_t load_rows(Cpu, const bf16*, const int64_t*, RowForm, float*, int64_t, int64_t);

}  // namespace kernels
