#pragma once
#include <algorithm>
#include <memory>
#include <span>
#include <type_traits>

#include "tensor/dtype.h"
#include "tensor/error.h"
#include "tensor/shape.h"

namespace tensor {

enum class Device : uint8_t { cpu, cuda };
constexpr std::string_view name_of(Device device) { return device == Device::cpu ? "cpu" : "cuda"; }

/// A block of memory on a device; returns to its owner (the allocator's cache, a mapped file) when the last tensor
/// that shows it goes.
struct Storage {
  void* data = nullptr;
  int64_t bytes = 0;
  std::shared_ptr<void> owner;
};

/// Numbers in a row-major, gapless block: shared storage + shape + dtype + device. What you see is what is in memory;
/// there are no strides. Copying a Tensor copies the handle; `clone` copies the numbers.
class Tensor {
 public:
  /// No tensor at all: `defined()` is false.
  Tensor() = default;
  /// Uninitialised memory from the device's caching allocator; fails in one line where that device is not to be had.
  Tensor(Shape shape, DType type, Device device = Device::cpu);
  /// Shows memory that somebody else owns (a mapped file); `owner` keeps it alive.
  Tensor(Shape shape, DType type, Device device, Storage storage);
  /// A copy of host values: `Tensor::of<float>({2, 2}, {1, 2, 3, 4})`.
  template <class T>
  static Tensor of(Shape shape, std::span<const T> values);
  template <class T>
  static Tensor of(Shape shape, std::initializer_list<T> values) {
    return of<T>(shape, std::span<const T>(values.begin(), values.size()));
  }

  bool defined() const { return storage_.data != nullptr || storage_.owner != nullptr; }
  const Shape& shape() const { return shape_; }
  int rank() const { return shape_.rank(); }
  int64_t size(int axis) const { return shape_[axis]; }
  int64_t elements() const { return shape_.elements(); }
  int64_t rows() const { return shape_.rows(); }
  int64_t cols() const { return shape_.back(); }
  DType dtype() const { return type_; }
  Device device() const { return device_; }
  int64_t bytes() const { return elements() * size_of(type_); }

  /// The numbers, typed; fails if T is not the tensor's dtype, and inside a dispatch to a device if the tensor is not
  /// there. Host code may follow the pointer on Device::cpu only.
  template <class T>
  T* data() const {
    require(dtype_of<std::remove_const_t<T>>);
    return static_cast<T*>(storage_.data);
  }
  void* raw() const { return storage_.data; }
  /// All elements as a span, on the CPU.
  template <class T>
  std::span<T> values() const {
    return {data<T>(), size_t(elements())};
  }
  /// The single element of a one-element tensor, as double; from a device once all that was queued before is done.
  double item() const;

  /// The same numbers under another shape of as many elements.
  Tensor reshape(Shape shape) const;
  /// Entries begin … end−1 of the first dimension; shares memory.
  Tensor range(int64_t begin, int64_t end) const;
  Tensor clone() const;
  /// The same numbers on that device: itself if it is there, else a copy. To the CPU: once all that was queued is done.
  Tensor to(Device device) const;
  /// Converted copy on the same device: any dtype to any on the CPU, f32 to 16 bits and back on a GPU; floats round to
  /// nearest even.
  Tensor to(DType type) const;

 private:
  void require(DType type) const;
  Storage storage_;
  Shape shape_;
  DType type_ = DType::f32;
  Device device_ = Device::cpu;
};

Tensor empty_like(const Tensor& x);
Tensor zeros(Shape shape, DType type, Device device = Device::cpu);
Tensor zeros_like(const Tensor& x);
/// Every element = value (any dtype).
Tensor full(Shape shape, DType type, double value, Device device = Device::cpu);
void fill_zero(const Tensor& x);
/// to_i = from_i, of one shape and dtype, each on its device.
void copy(const Tensor& to, const Tensor& from);

template <class T>
Tensor Tensor::of(Shape shape, std::span<const T> values) {
  Tensor result(shape, dtype_of<T>);
  check(result.elements() == int64_t(values.size()), "tensor: {} values for shape {}", values.size(), shape);
  std::copy(values.begin(), values.end(), result.data<T>());
  return result;
}

}  // namespace tensor
