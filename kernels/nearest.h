#pragma once
#include "kernels/backend.h"
#include "kernels/number.h"

namespace kernels {

/// The nearest code of each row of x [n, d] among e [k, d], k < 2³¹:
///   index_i = argmin_j ‖x_i − e_j‖²,  distance_i = ‖x_i − e_index‖²
/// Ties go to the smaller index. `distance` may be null. Fast by ‖e‖² − 2 x·e with one matrix product; codes whose
/// difference is within the rounding error of that form are compared by Σ (x − e)² in f64. So the result is that of
/// nearest_plain, bit for bit, with any number of threads.
/// A row that has no finite distance to any code (a NaN in x, say) gets index 0 and distance NaN; a code with a NaN is
/// never the nearest. scratch: nearest_scratch(n, k) numbers.
template <class T>
void nearest(Cpu, const T* x, const T* e, int32_t* index, T* distance, int64_t n, int64_t k, int64_t d, T* scratch);
int64_t nearest_scratch(Cpu, int64_t n, int64_t k);

/// Every pair in f64: the oracle of the fast one.
template <class T>
void nearest_plain(const T* x, const T* e, int32_t* index, T* distance, int64_t n, int64_t k, int64_t d);

/// On the GPU in f32 and f64, by one product (gemm.h, in full precision) for each block of rows. The indices are those
/// of nearest_plain wherever two distances differ by more than the rounding of their sums in f64; scratch is the
/// device's.
template <class T>
void nearest(Cuda, const T* x, const T* e, int32_t* index, T* distance, int64_t n, int64_t k, int64_t d, T* scratch);
int64_t nearest_scratch(Cuda, int64_t n, int64_t k);

/// y [n, k] = ‖x_i − e_j‖² by differences, so nothing cancels; for a few codes (k-means++ candidates). A row's result
/// does not depend on the number of threads.
template <class T>
void squared_distances(Cpu, const T* x, const T* e, T* y, int64_t n, int64_t k, int64_t d);
template <class T>
void squared_distances(Cuda, const T* x, const T* e, T* y, int64_t n, int64_t k, int64_t d);

}  // namespace kernels
