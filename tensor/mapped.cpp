#include "tensor/mapped.h"

#include <bit>
#include <cstring>

namespace tensor {

static_assert(std::endian::native == std::endian::little, "files are little-endian and are mapped as they are");

Tensor mapped_tensor(const MappedFile& file, size_t offset, const Shape& shape, DType type) {
  const std::byte* const data = file.bytes().data() + offset;
  const int64_t bytes = shape.elements() * size_of(type);
  if (reinterpret_cast<uintptr_t>(data) % uintptr_t(size_of(type)) == 0) {
    return Tensor(shape, type, Device::cpu, {const_cast<std::byte*>(data), bytes, file.owner()});
  }
  const Tensor copy(shape, type);
  std::memcpy(copy.raw(), data, size_t(bytes));
  return copy;
}

size_t stored_bytes(std::string_view origin, const Shape& shape, DType type) {
  int64_t bytes = 0;
  check(!__builtin_mul_overflow(shape.elements(), size_of(type), &bytes), "{}: {} {} is too large", origin,
        name_of(type), shape);
  return size_t(bytes);
}

std::span<const std::byte> stored(const Tensor& x) {
  check(x.defined(), "write: expected a tensor, found none");
  check(x.device() == Device::cpu, "write: expected a tensor on cpu, found {}", name_of(x.device()));
  return {static_cast<const std::byte*>(x.raw()), size_t(x.bytes())};
}

}  // namespace tensor
