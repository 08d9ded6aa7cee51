#include "tensor/tensor.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "kernels/copy.h"
#include "tensor/allocator.h"
#include "tensor/dispatch.h"

namespace tensor {
namespace {

int64_t bytes_for(const Shape& shape, DType type) {
  int64_t bytes = 0;
  check(!__builtin_mul_overflow(shape.elements(), size_of(type), &bytes), "tensor: {} {} is too large", name_of(type),
        shape);
  return bytes;
}

/// Calls f with a value of the type that `type` names.
template <class F>
auto with_type(DType type, F&& f) {
  switch (type) {
    case DType::f32:
      return f(float{});
    case DType::f64:
      return f(double{});
    case DType::f16:
      return f(f16{});
    case DType::bf16:
      return f(bf16{});
    case DType::i32:
      return f(int32_t{});
    case DType::i64:
      return f(int64_t{});
    case DType::u8:
      return f(uint8_t{});
  }
  fail("tensor: unknown dtype {}", int(type));
}

template <class T>
constexpr bool is_half = std::is_same_v<T, f16> || std::is_same_v<T, bf16>;

/// f64 → f32 rounded to odd: inexact results get an odd last bit, so that rounding them once more, to 16 bits, gives
/// what a single rounding would have given (Boldo and Melquiond, 2008).
float round_to_odd(double x) {
  const float nearest = float(x);
  if (double(nearest) == x || std::isnan(x)) return nearest;
  const uint32_t bits = std::bit_cast<uint32_t>(nearest);
  return std::bit_cast<float>((std::abs(double(nearest)) > std::abs(x) ? bits - 1 : bits) | 1);
}

/// Towards zero, clamped to what To holds; NaN becomes 0.
template <class To, class From>
To to_integer(From x) {
  using Limits = std::numeric_limits<To>;
  if (std::isnan(x)) return 0;
  if (x <= From(Limits::min())) return Limits::min();
  if (x >= From(Limits::max())) return Limits::max();
  return To(x);
}

template <class To, class From>
To convert(From x) {
  if constexpr (std::is_same_v<To, From>) {
    return x;
  } else if constexpr (is_half<From>) {
    return convert<To>(float(x));
  } else if constexpr (is_half<To>) {
    if constexpr (std::is_same_v<From, float>)
      return To(x);
    else
      return To(round_to_odd(double(x)));
  } else if constexpr (std::is_integral_v<To> && std::is_floating_point_v<From>) {
    return to_integer<To>(x);
  } else {
    return To(x);
  }
}

}  // namespace

Tensor::Tensor(Shape shape, DType type, Device device)
    : storage_(allocator(device).allocate(bytes_for(shape, type))), shape_(shape), type_(type), device_(device) {}

Tensor::Tensor(Shape shape, DType type, Device device, Storage storage)
    : storage_(std::move(storage)), shape_(shape), type_(type), device_(device) {
  check(storage_.bytes >= bytes_for(shape_, type_), "tensor: {} {} needs {} bytes, found {}", name_of(type_), shape_,
        bytes(), storage_.bytes);
  check(reinterpret_cast<uintptr_t>(storage_.data) % uintptr_t(size_of(type_)) == 0,
        "tensor: memory is not aligned for {}", name_of(type_));
}

void Tensor::require(DType type) const {
  check(defined(), "tensor: expected a tensor of {}, found none", name_of(type));
  check(type == type_, "tensor: expected {}, found {} {}", name_of(type), name_of(type_), shape_);
  const std::optional<Device> wanted = dispatching();
  check(!wanted || *wanted == device_, "tensor: expected a tensor on {}, found {} {} on {}", name_of(*wanted),
        name_of(type_), shape_, name_of(device_));
}

double Tensor::item() const {
  check(defined() && elements() == 1, "item: expected one element, found {}", shape_);
  if (device_ != Device::cpu) return to(Device::cpu).item();
  return with_type(type_, [&](auto type) { return convert<double>(*data<decltype(type)>()); });
}

Tensor Tensor::reshape(Shape shape) const {
  check(shape.elements() == elements(), "reshape: expected {} elements as in {}, found {}", elements(), shape_, shape);
  Tensor result = *this;
  result.shape_ = shape;
  return result;
}

Tensor Tensor::range(int64_t begin, int64_t end) const {
  check(rank() > 0, "range: expected at least one dimension, found {}", shape_);
  check(0 <= begin && begin <= end && end <= size(0), "range: expected 0 <= begin <= end <= {}, found {} and {}",
        size(0), begin, end);
  Tensor result = *this;
  result.shape_ = shape_.with(0, end - begin);
  const int64_t row_bytes = shape_.with(0, 1).elements() * size_of(type_);
  result.storage_.data = static_cast<std::byte*>(storage_.data) + begin * row_bytes;
  result.storage_.bytes = (end - begin) * row_bytes;
  return result;
}

Tensor Tensor::clone() const {
  if (!defined()) return {};
  Tensor result(shape_, type_, device_);
  transfer(result.raw(), device_, raw(), device_, bytes());
  return result;
}

Tensor Tensor::to(Device device) const {
  if (!defined() || device == device_) return *this;
  Tensor result(shape_, type_, device);
  transfer(result.raw(), device, raw(), device_, bytes());
  return result;
}

namespace {

/// x in the other of two types of which one is f32 and one has 16 bits, by a kernel.
Tensor converted_there(const Tensor& x, DType type) {
  check(type != x.dtype() && accumulator_of(type) == DType::f32 && accumulator_of(x.dtype()) == DType::f32 &&
            (type == DType::f32 || x.dtype() == DType::f32),
        "to: {} is not converted to {} on {}", name_of(x.dtype()), name_of(type), name_of(x.device()));
  Tensor result(x.shape(), type, x.device());
  dispatch(TypeList<float, f16, bf16>(), x, [&]([[maybe_unused]] auto backend, auto from) {
    using From = decltype(from);
    [[maybe_unused]] const auto into = [&](auto to) {
      using To = decltype(to);
      if (type == dtype_of<To>) kernels::convert(backend, x.data<From>(), result.data<To>(), x.elements());
    };
    if constexpr (std::is_same_v<decltype(backend), kernels::Cpu>) {
      return;
    } else if constexpr (std::is_same_v<From, float>) {
      into(f16()), into(bf16());
    } else {
      into(float());
    }
  });
  return result;
}

}  // namespace

Tensor Tensor::to(DType type) const {
  check(defined(), "to: expected a tensor, found none");
  if (type == type_) return clone();
  if (device_ != Device::cpu) return converted_there(*this, type);
  Tensor result(shape_, type);
  with_type(type_, [&](auto from) {
    with_type(type, [&](auto to) {
      using From = decltype(from);
      using To = decltype(to);
      const std::span<const From> x = values<From>();
      std::transform(x.begin(), x.end(), result.data<To>(), [](From value) { return convert<To>(value); });
    });
  });
  return result;
}

Tensor empty_like(const Tensor& x) { return Tensor(x.shape(), x.dtype(), x.device()); }

Tensor zeros(Shape shape, DType type, Device device) {
  Tensor result(shape, type, device);
  fill_zero(result);
  return result;
}

Tensor zeros_like(const Tensor& x) { return zeros(x.shape(), x.dtype(), x.device()); }

Tensor full(Shape shape, DType type, double value, Device device) {
  Tensor result(shape, type);
  with_type(type, [&](auto sample) {
    using T = decltype(sample);
    std::fill_n(static_cast<T*>(result.raw()), result.elements(), convert<T>(value));
  });
  return result.to(device);
}

void copy(const Tensor& to, const Tensor& from) {
  check(to.shape() == from.shape() && to.dtype() == from.dtype(), "copy: {} {} to {} {}", name_of(from.dtype()),
        from.shape(), name_of(to.dtype()), to.shape());
  transfer(to.raw(), to.device(), from.raw(), from.device(), to.bytes());
}

void fill_zero(const Tensor& x) {
  check(x.defined(), "fill_zero: expected a tensor, found none");
  clear(x.raw(), x.device(), x.bytes());
}

}  // namespace tensor
