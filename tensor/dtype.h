#pragma once
#include <cstdint>
#include <string_view>

#include "kernels/number.h"

namespace tensor {

using kernels::bf16;
using kernels::f16;

enum class DType : uint8_t { f32, f64, f16, bf16, i32, i64, u8 };

constexpr int64_t size_of(DType type) {
  constexpr int64_t sizes[] = {4, 8, 2, 2, 4, 8, 1};
  return sizes[int(type)];
}
/// `float32`, `int64`, …: the names of NumPy.
constexpr std::string_view name_of(DType type) {
  constexpr std::string_view names[] = {"float32", "float64", "float16", "bfloat16", "int32", "int64", "uint8"};
  return names[int(type)];
}

/// What kernels compute numbers of this type in, and keep parameters, statistics and losses in: f32 for the 16-bit
/// types (kernels::Accumulator).
constexpr DType accumulator_of(DType type) { return type == DType::f16 || type == DType::bf16 ? DType::f32 : type; }

template <class T>
constexpr DType dtype_of = DType(-1);
template <>
inline constexpr DType dtype_of<float> = DType::f32;
template <>
inline constexpr DType dtype_of<double> = DType::f64;
template <>
inline constexpr DType dtype_of<f16> = DType::f16;
template <>
inline constexpr DType dtype_of<bf16> = DType::bf16;
template <>
inline constexpr DType dtype_of<int32_t> = DType::i32;
template <>
inline constexpr DType dtype_of<int64_t> = DType::i64;
template <>
inline constexpr DType dtype_of<uint8_t> = DType::u8;

}  // namespace tensor
