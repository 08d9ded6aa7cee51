#pragma once
#include "tensor/file.h"
#include "tensor/tensor.h"

namespace tensor {

/// Shows the bytes of a mapped file from `offset` on as a tensor, which then keeps the file mapped and must not be
/// written; copies them where the offset is not aligned for the dtype. The caller has checked that they are all there.
Tensor mapped_tensor(const MappedFile& file, size_t offset, const Shape& shape, DType type);
/// Bytes that such a tensor takes; `origin` names the thing in the message when the product overflows.
size_t stored_bytes(std::string_view origin, const Shape& shape, DType type);
/// The numbers of a tensor on the CPU as they go into a file.
std::span<const std::byte> stored(const Tensor& x);

}  // namespace tensor
