#pragma once
#include "kernels/backend.h"
#include "kernels/number.h"

namespace kernels {

/// What the random masks of a step are made from. Read through a pointer: both change while a captured graph stays.
struct DropoutKey {
  uint64_t seed, step;
};

/// What one site drops of n elements: drop(x)_i = x_i keep_i / (1 − rate), 0 ≤ rate < 1.
///   keep_i = [half_i ≥ rate · 2¹⁶], where halves 8j … 8j+7 are the 16-bit parts of Philox of key `seed` and counter
///   (j + site · 2³², step), lowest first; n ≤ 2³⁴, site < 2³². Or keep_i = [mask_i ≠ 0] where a mask is given.
/// Nothing is stored: the random mask is a function of (seed, step, site, i), so the backward pass draws it anew, and
/// every device draws the same. (The share that is dropped is exact to 2⁻¹⁶.) Rate 0 keeps all.
struct Drop {
  double rate = 0;
  const DropoutKey* key = nullptr;
  uint64_t site = 0;
  const uint8_t* mask = nullptr;
  /// What the halves are compared with: rate · 2¹⁶ as a whole number, the next above it where it is none.
  uint16_t threshold() const {
    const double exact = rate * 65536;
    const uint32_t below = uint32_t(exact), whole = double(below) < exact ? below + 1 : below;
    return uint16_t(whole < 65535 ? whole : 65535);
  }
};

/// y_i = (or +=) drop(x)_i; as its derivative is the factor keep_i / (1 − rate), the backward pass is the same call on
/// dy. A dropped NaN or ∞ gives NaN: it must be seen.
template <class T>
void dropout(Cpu, const Drop& drop, const T* x, Grad<T> y, int64_t n);

/// y_i = drop(max(x_i, 0)), and of its gradient dx_i = (or +=) [y_i > 0] dy_i / (1 − rate): what y shows, is neither
/// drawn anew nor read from x. y may be x.
template <class T>
void relu_dropout(Cpu, const Drop& drop, const T* x, T* y, int64_t n);
template <class T>
void relu_dropout_backward(Cpu, const Drop& drop, const T* y, const T* dy, Grad<T> dx, int64_t n);

/// On the GPU in f32, f64, f16 and bf16.
template <class T>
void dropout(Cuda, const Drop& drop, const T* x, Grad<T> y, int64_t n);
template <class T>
void relu_dropout(Cuda, const Drop& drop, const T* x, T* y, int64_t n);
template <class T>
void relu_dropout_backward(Cuda, const Drop& drop, const T* y, const T* dy, Grad<T> dx, int64_t n);

}  // namespace kernels
