#include "tensor/transfer.h"

#include <cstring>
#include <string_view>
#include <utility>

#include "kernels/backend.h"
#include "tensor/graph.h"

namespace tensor {
namespace {
thread_local std::optional<Device> current;
thread_local const Range* innermost_range = nullptr;
}  // namespace

std::optional<Device> dispatching() { return current; }
Dispatching::Dispatching(Device device) : before_(current) { current = device; }
Dispatching::~Dispatching() { current = before_; }

std::string Range::innermost() { return innermost_range ? innermost_range->name_ : ""; }

#ifdef ACE_CUDA
Range::Range(Device device, const char* name) : open_(device == Device::cuda) {
  if (!open_) return;
  const std::string_view all = name, head = all.substr(0, all.find('('));
  // "autograd::Variable autograd::softmax(const autograd::Variable&)…"
  name_ = head.size() < all.size() ? head.substr(head.find_last_of(" :") + 1) : all;
  outer_ = std::exchange(innermost_range, this);
  kernels::Cuda::begin_range(name_.c_str());
}
Range::~Range() {
  if (!open_) return;
  kernels::Cuda::end_range();
  innermost_range = outer_;
}

const char* missing(Device device) { return device == Device::cpu ? nullptr : kernels::Cuda::missing(); }

std::string device_name(Device device) {
  return device == Device::cpu
             ? "cpu"
             : fmt::format("{} (compute capability {:.1f})", kernels::Cuda::name(), kernels::Cuda::capability() / 10.0);
}
bool has_bf16(Device device) { return device == Device::cpu || kernels::Cuda::has_bf16(); }

void check_kernels(Device device) {
  if (device != Device::cuda) return;
  const char* const error = kernels::Cuda::error();
  check(error == nullptr, "{}", error == nullptr ? "" : error);
}

void synchronize(Device device) {
  if (device != Device::cuda) return;
  check(!recording_graph(), "graph: the host cannot wait for work that is being recorded");
  kernels::Cuda().synchronize();
  check_kernels(device);
}

void transfer(void* to, Device to_device, const void* from, Device from_device, int64_t bytes) {
  const kernels::Cuda cuda;
  if (bytes == 0) return;
  check(to_device == from_device || !recording_graph(),
        "graph: {} bytes from {} to {}, which work that is being recorded cannot copy", bytes, name_of(from_device),
        name_of(to_device));
  if (to_device == Device::cpu && from_device == Device::cpu) {
    std::memcpy(to, from, size_t(bytes));
  } else if (to_device == Device::cpu) {
    cuda.download(to, from, bytes);
  } else if (from_device == Device::cpu) {
    cuda.upload(to, from, bytes);
  } else {
    cuda.copy(to, from, bytes);
  }
  if (to_device != from_device) check_kernels(Device::cuda);
}

void clear(void* to, Device device, int64_t bytes) {
  if (device == Device::cuda) return kernels::Cuda().clear(to, bytes);
  if (bytes != 0) std::memset(to, 0, size_t(bytes));
}
#else
Range::Range(Device, const char*) : open_(false) {}
Range::~Range() {}
const char* missing(Device device) {
  return device == Device::cpu ? nullptr : "this program was built without CUDA: it found no CUDA toolkit";
}
std::string device_name(Device device) { return std::string(name_of(device)); }
bool has_bf16(Device) { return true; }
void check_kernels(Device) {}
void synchronize(Device) {}
void transfer(void* to, Device, const void* from, Device, int64_t bytes) {
  if (bytes != 0) std::memcpy(to, from, size_t(bytes));
}
void clear(void* to, Device, int64_t bytes) {
  if (bytes != 0) std::memset(to, 0, size_t(bytes));
}
#endif

}  // namespace tensor
