#pragma once
#include "kernels/backend.h"
#include "kernels/team.h"

namespace kernels {

/// Rows of table [entries, width] by number:  y_i = s · table[id_i],  i in 0 … n−1, 0 ≤ id_i < entries.
///   dtable[id_i] += s · dy_i: rows that nobody named get nothing, a row named twice gets both.
template <class Team, class T>
ACE_HD void embedding_row(Team team, const T* entry, T* y, int64_t width, Accumulator<T> scale) {
  using A = Accumulator<T>;
  team.each(width, [=](int64_t i) { y[i] = T(scale * A(entry[i])); });
}

template <class Team, class T>
ACE_HD void embedding_backward_row(Team team, const T* dy, T* dentry, int64_t width, Accumulator<T> scale) {
  using A = Accumulator<T>;
  team.each(width, [=](int64_t i) { dentry[i] = T(A(dentry[i]) + scale * A(dy[i])); });
}

template <class T>
void embedding(Cpu, const T* table, const int32_t* ids, T* y, int64_t n, int64_t width, T scale);
/// Always adds: dtable holds zeros or earlier contributions. Each thread takes some columns and all ids in order, so
/// the sums do not depend on the number of threads.
template <class T>
void embedding_backward(Cpu, const T* dy, const int32_t* ids, Grad<T> dtable, int64_t n, int64_t entries, int64_t width,
                        T scale);

/// On the GPU in f32, f64, f16 and bf16.
template <class T>
void embedding(Cuda, const Accumulator<T>* table, const int32_t* ids, T* y, int64_t n, int64_t width,
               Accumulator<T> scale);
/// Without atomics: ids are sorted, and each entry's rows added in their order, in runs of 64 (named_sums.h).
template <class T>
void embedding_backward(Cuda, const T* dy, const int32_t* ids, Grad<Accumulator<T>> dtable, int64_t n, int64_t entries,
                        int64_t width, Accumulator<T> scale);

}  // namespace kernels
