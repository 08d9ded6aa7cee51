#pragma once
#include <type_traits>

#include "kernels/backend.h"
#include "kernels/number.h"

namespace kernels {

/// What is taken from rows on their way out of a file.
struct RowForm {
  bool unit = false;                 ///< scale to length 1
  const float* centroids = nullptr;  ///< [K, d], or null
  const int32_t* labels = nullptr;   ///< by row of x: which centroid is subtracted
};

/// What squares are summed in so that none overflows: those of f16 have room in f32.
template <class T>
using RowSquare = std::conditional_t<std::is_same_v<T, f16>, float, double>;

/// y_i = x_r / ‖x_r‖ − μ_label(r) as f32 [n, d], with or without the one and the other; r = rows_i, or i where `rows`
/// is null. Norms are summed in f64 (of f16 in f32). Returns the first i whose row has a number that is not finite, or,
/// where it is to have length 1, only zeros; −1 when all is well.
template <class T>
int64_t load_rows(Cpu, const T* x, const int64_t* rows, RowForm form, float* y, int64_t n, int64_t d);

}  // namespace kernels
