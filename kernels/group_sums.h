#pragma once
#include "kernels/backend.h"

namespace kernels {

/// sums_g += Σ_{i: label_i = g} x_i, columns in f64 and added in the order of the rows.  x [n, d], sums [groups, d]
void group_sums(Cpu, const float* x, const int32_t* labels, double* sums, int64_t n, int64_t groups, int64_t d);
/// On the GPU sums of 64 rows in order, and those in order: the same bits run after run.
void group_sums(Cuda, const float* x, const int32_t* labels, double* sums, int64_t n, int64_t groups, int64_t d);

}  // namespace kernels
