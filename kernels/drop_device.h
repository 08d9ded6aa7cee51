#pragma once
#include <cuda_runtime.h>

#include "kernels/dropout.h"
#include "kernels/philox.h"

namespace kernels {

/// The factors keep_i / (1 − rate) of a Drop (dropout.h) on a GPU, as Keep has them on the CPU. Made on the host,
/// passed to a kernel by value; key and mask are in the device's memory. A is what the kernel computes in.
template <class A>
class DropFactors {
 public:
  explicit DropFactors(const Drop& drop)
      : key_(drop.key),
        mask_(drop.mask),
        site_(drop.site << 32),
        kept_(A(1 / (1 - drop.rate))),
        threshold_(drop.threshold()) {}

  /// Those of elements first … first + n − 1, n = 1, 2, 4 or 8, first a multiple of n. Eight at once cost as much as
  /// one: a call of Philox, some 100 operations.
  template <int n>
  __device__ void get(int64_t first, A (&factors)[n]) const {
    static_assert(n == 1 || n == 2 || n == 4 || n == 8);
    if (mask_ != nullptr) {
      for (int k = 0; k < n; ++k) factors[k] = mask_[first + k] ? kept_ : A(0);
    } else if (threshold_ == 0) {
      for (int k = 0; k < n; ++k) factors[k] = kept_;
    } else {
      const Philox4 bits = philox(__ldg(&key_->seed), site_ + uint64_t(first / 8), __ldg(&key_->step));
      const int skipped = n == 8 ? 0 : int(first % 8);
      for (int k = 0; k < n; ++k) factors[k] = half(bits, skipped + k) >= threshold_ ? kept_ : A(0);
    }
  }
  __device__ A get(int64_t i) const {
    A factor[1];
    get(i, factor);
    return factor[0];
  }

 private:
  /// Half k of the eight, without an address: k is a constant where eight are wanted, and words stay in registers.
  static __device__ uint32_t half(const Philox4& bits, int k) {
    const uint32_t low = k & 2 ? bits.v[1] : bits.v[0], high = k & 2 ? bits.v[3] : bits.v[2];
    const uint32_t word = k & 4 ? high : low;
    return k & 1 ? word >> 16 : word & 0xffffu;
  }

  const DropoutKey* key_;
  const uint8_t* mask_;
  uint64_t site_;
  A kept_;
  uint32_t threshold_;
};

}  // namespace kernels
