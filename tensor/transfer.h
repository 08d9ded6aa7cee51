#pragma once
#include <cstdint>
#include <optional>
#include <string>

#include "tensor/tensor.h"

namespace tensor {

/// Bytes from one device's memory to another's, or within one. On a device copies are queued behind its kernels; what
/// arrives on the CPU is there when this returns.
void transfer(void* to, Device to_device, const void* from, Device from_device, int64_t bytes);
/// Bytes set to zero.
void clear(void* to, Device device, int64_t bytes);

/// Why tensors cannot live on this device here, in one line, or null: the build has no CUDA, the machine has no card.
const char* missing(Device device);
/// What the device is called, and whether it multiplies bf16.
std::string device_name(Device device);
bool has_bf16(Device device);
/// Waits until all that was queued on the device is done; an error of a kernel shows here at the latest.
void synchronize(Device device);
/// Fails when a kernel has failed since the last time this was asked.
void check_kernels(Device device);

/// While one lives, what this thread queues stands under a name on a profiler's time line, inside the ranges that are
/// open already. Costs nothing to speak of without a profiler, and nothing at all on the CPU.
class Range {
 public:
  /// Of a function as the compiler writes it, with its parameters, the name alone: "softmax".
  Range(Device device, const char* name);
  Range(Device device, const std::string& name) : Range(device, name.c_str()) {}
  ~Range();
  Range(const Range&) = delete;
  Range& operator=(const Range&) = delete;
  /// What the innermost of this thread's is called; empty on the CPU.
  static std::string innermost();

 private:
  bool open_;
  std::string name_;
  const Range* outer_ = nullptr;
};

/// The device that this thread's dispatch works for, where there is one.
std::optional<Device> dispatching();
/// While one lives, data() of a tensor that is elsewhere fails: a kernel must not be handed another device's memory.
class Dispatching {
 public:
  explicit Dispatching(Device device);
  ~Dispatching();
  Dispatching(const Dispatching&) = delete;
  Dispatching& operator=(const Dispatching&) = delete;

 private:
  std::optional<Device> before_;
};

}  // namespace tensor
