#pragma once
#include "kernels/backend.h"

namespace kernels {

/// Sorts n words by their bits low … high − 1, ascending; words that agree there keep their order. The result lies in
/// `words` or in `spare`, as the pointer returned says. spare: radix_sort_scratch(n) words.
uint64_t* radix_sort(Cpu, uint64_t* words, uint64_t* spare, int64_t n, int low, int high);
int64_t radix_sort_scratch(int64_t n);

/// On the GPU, for n < 2³²: a pass over the words for every eight bits, or part of eight.
uint64_t* radix_sort(Cuda, uint64_t* words, uint64_t* spare, int64_t n, int low, int high);
int64_t radix_sort_scratch(Cuda, int64_t n);

}  // namespace kernels
