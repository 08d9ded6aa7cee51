#pragma once
#include "kernels/backend.h"
#include "kernels/team.h"

namespace kernels {

/// The CPU's way to run a row formula: rows are shared out to the threads, each walked by OneThread.
/// `cost` is operations per row.
template <class F>
void for_rows(Cpu cpu, int64_t rows, int64_t cost, const F& formula) {
  cpu.parallel(rows, cost, [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) formula(OneThread{}, r);
  });
}

/// The same for formulas of single elements: f(i) for i in 0 … n−1.
template <class F>
void for_elements(Cpu cpu, int64_t n, int64_t cost, const F& formula) {
  cpu.parallel(n, cost, [&](int64_t begin, int64_t end) {
    OneThread{}.each(end - begin, [&](int64_t i) { formula(begin + i); });
  });
}

}  // namespace kernels
