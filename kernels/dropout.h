#pragma once
#include "kernels/backend.h"
#include "kernels/number.h"

namespace kernels {

/// What the random masks of a step are made from. Read through a pointer: both change while a captured graph stays.
struct DropoutKey {
  uint64_t seed, step;
};

/// y_i = (or +=) x_i keep_i / (1 − rate), 0 ≤ rate < 1;  keep_i = [word_i ≥ rate · 2³²], where words 4j … 4j+3 are
/// Philox of key `seed` and counter (j + site · 2³², step). Nothing is stored: the mask is a function of (seed, step,
/// site, i), so the backward pass is the same call on dy, and every device draws the same mask. n ≤ 2³⁴, site < 2³².
/// A dropped NaN or ∞ gives NaN: it must be seen.
template <class T>
void dropout(Cpu, const T* x, Grad<T> y, int64_t n, double rate, const DropoutKey* key, uint64_t site);

/// The same with a given mask, one byte per element, 0 for dropped.
template <class T>
void dropout_mask(Cpu, const T* x, const uint8_t* mask, Grad<T> y, int64_t n, double rate);

}  // namespace kernels
