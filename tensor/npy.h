#pragma once
#include <filesystem>

#include "tensor/tensor.h"

namespace tensor {

/// Opens a NumPy `.npy` file (format 1.0 to 3.0, C order, little endian, header at most 1 MiB) and shows its data
/// mapped, read-only. dtypes f2 f4 f8 i4 i8 u1; anything else, a Fortran-order, truncated or oversized file fails with
/// one line.
Tensor read_npy(const std::filesystem::path& path);
/// Writes version 1.0, atomically.
void write_npy(const std::filesystem::path& path, const Tensor& x);
/// The bytes that write_npy would write: header, then data.
std::string npy_bytes(const Tensor& x);

}  // namespace tensor
