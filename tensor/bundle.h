#pragma once
#include <span>
#include <vector>

#include "tensor/tensor.h"

namespace tensor {

/// Tensors that lie in one block of memory, so that they travel as one.
class Bundle {
 public:
  Bundle() = default;
  /// Uninitialised, of the shapes and dtypes of `like`.
  Bundle(std::span<const Tensor> like, Device device);
  /// Copies of tensors of the CPU.
  static Bundle of(std::span<const Tensor> parts);
  /// The same in memory of another device; itself if it is there.
  Bundle to(Device device) const;
  const Tensor& operator[](size_t i) const { return parts_[i]; }
  /// All bytes, u8.
  const Tensor& block() const { return block_; }

  /// Where each part of a block begins, and behind the last its length: at multiples of 256 bytes.
  static std::vector<int64_t> offsets(std::span<const Tensor> parts);

 private:
  Bundle(std::span<const Tensor> like, Tensor block);
  Tensor block_;
  std::vector<Tensor> parts_;
};

}  // namespace tensor
