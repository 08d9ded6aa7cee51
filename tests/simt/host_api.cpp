#include "tests/simt/host_api.h"

#include <nvtx3/nvToolsExt.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <map>
#include <mutex>
#include <utility>

namespace {

using Blocks = std::map<const char*, size_t, std::greater<>>;  // from high to low addresses

struct Device {
  std::mutex mutex;
  Blocks blocks, pinned;  // on the device; on the host
  size_t all = size_t(16) << 30, used = 0;
  int major = 7, minor = 0;
};
Device& device() {
  static Device* const one = new Device;
  return *one;
}
cudaError_t last_error = cudaSuccess;
thread_local std::vector<std::string> open_ranges, seen_ranges;

cudaError_t noted(cudaError_t error) {
  if (error != cudaSuccess) last_error = error;
  return error;
}

/// Whether address begins within a block.
bool within(const Blocks& blocks, const void* address) {
  const std::lock_guard lock(device().mutex);
  const auto* const a = static_cast<const char*>(address);
  const auto block = blocks.lower_bound(a);
  return block != blocks.end() && a < block->first + block->second;
}
bool on_device(const void* address) { return within(device().blocks, address); }

}  // namespace

namespace simt {
void set_last_error(int code) { last_error = cudaError_t(code); }
void set_capability(int major, int minor) { device().major = major, device().minor = minor; }
void set_memory(size_t bytes) { device().all = bytes; }
std::vector<std::string> ranges_of(const std::function<void()>& work) {
  seen_ranges.clear();
  work();
  return std::exchange(seen_ranges, {});
}
}  // namespace simt

int nvtxRangePushA(const char* name) {
  open_ranges.push_back(open_ranges.empty() ? name : open_ranges.back() + "/" + name);
  seen_ranges.push_back(open_ranges.back());
  return 0;
}
int nvtxRangePop() {
  open_ranges.pop_back();
  return 0;
}

cudaError_t cudaGetLastError() {
  const cudaError_t error = last_error;
  last_error = cudaSuccess;
  return error;
}
cudaError_t cudaPeekAtLastError() { return last_error; }

const char* cudaGetErrorString(cudaError_t error) {
  switch (error) {
    case cudaSuccess:
      return "no error";
    case cudaErrorInvalidValue:
      return "invalid argument";
    case cudaErrorMemoryAllocation:
      return "out of memory";
    case cudaErrorInvalidConfiguration:
      return "invalid configuration argument";
    case cudaErrorInvalidMemcpyDirection:
      return "invalid copy direction for memcpy";
    case cudaErrorNoDevice:
      return "no CUDA-capable device is detected";
    case cudaErrorInvalidDevice:
      return "invalid device ordinal";
    case cudaErrorIllegalState:
      return "the operation cannot be performed in the present state";
    case cudaErrorNotReady:
      return "device not ready";
    case cudaErrorLaunchFailure:
      return "unspecified launch failure";
    case cudaErrorStreamCaptureUnsupported:
      return "operation not permitted when stream is capturing";
    case cudaErrorStreamCaptureInvalidated:
      return "operation failed due to a previous error during capture";
    case cudaErrorStreamCaptureIsolation:
      return "dependency created on uncaptured work in another stream";
    case cudaErrorCapturedEvent:
      return "operation not permitted on an event last recorded in a capturing stream";
  }
  return "unrecognized error code";
}
const char* cudaGetErrorName(cudaError_t error) { return cudaGetErrorString(error); }

cudaError_t cudaGetDeviceCount(int* count) { return *count = 1, cudaSuccess; }
cudaError_t cudaSetDevice(int number) { return noted(number == 0 ? cudaSuccess : cudaErrorInvalidDevice); }
cudaError_t cudaGetDevice(int* number) { return *number = 0, cudaSuccess; }
cudaError_t cudaDeviceSynchronize() { return simt::catch_up(), simt::forbidden(simt::Call::waits); }
cudaError_t cudaRuntimeGetVersion(int* version) { return *version = 12000, cudaSuccess; }
cudaError_t cudaDriverGetVersion(int* version) { return *version = 12000, cudaSuccess; }

cudaError_t cudaGetDeviceProperties(cudaDeviceProp* p, int number) {
  if (number != 0) return noted(cudaErrorInvalidDevice);
  *p = {};
  std::snprintf(p->name, sizeof p->name, "simulated");
  p->totalGlobalMem = device().all;
  p->sharedMemPerBlock = simt::shared_default;
  p->sharedMemPerBlockOptin = p->sharedMemPerMultiprocessor = simt::shared_most;
  p->regsPerBlock = 65536;
  p->warpSize = 32;
  p->maxThreadsPerBlock = 1024;
  p->multiProcessorCount = 2;  // few, so that what is shared out to multiprocessors stays small
  p->maxThreadsPerMultiProcessor = 2048;
  p->l2CacheSize = 6 << 20;
  p->major = device().major;
  p->minor = device().minor;
  return cudaSuccess;
}

cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int number) {
  cudaDeviceProp p;
  if (const cudaError_t error = cudaGetDeviceProperties(&p, number); error != cudaSuccess) return error;
  switch (attribute) {
    case cudaDevAttrMaxThreadsPerBlock:
      return *value = p.maxThreadsPerBlock, cudaSuccess;
    case cudaDevAttrMaxSharedMemoryPerBlock:
      return *value = int(p.sharedMemPerBlock), cudaSuccess;
    case cudaDevAttrWarpSize:
      return *value = p.warpSize, cudaSuccess;
    case cudaDevAttrClockRate:
      return *value = 1530000, cudaSuccess;
    case cudaDevAttrMultiProcessorCount:
      return *value = p.multiProcessorCount, cudaSuccess;
    case cudaDevAttrMemoryClockRate:
      return *value = 877000, cudaSuccess;
    case cudaDevAttrGlobalMemoryBusWidth:
      return *value = 4096, cudaSuccess;
    case cudaDevAttrComputeCapabilityMajor:
      return *value = p.major, cudaSuccess;
    case cudaDevAttrComputeCapabilityMinor:
      return *value = p.minor, cudaSuccess;
    case cudaDevAttrMaxSharedMemoryPerMultiprocessor:
      return *value = int(p.sharedMemPerMultiprocessor), cudaSuccess;
    case cudaDevAttrMaxSharedMemoryPerBlockOptin:
      return *value = int(p.sharedMemPerBlockOptin), cudaSuccess;
  }
  return noted(cudaErrorInvalidValue);
}

cudaError_t cudaMalloc(void** memory, size_t bytes) {
  *memory = nullptr;
  if (bytes == 0) return cudaSuccess;
  if (const cudaError_t error = simt::forbidden(simt::Call::at_once); error != cudaSuccess) return error;
  Device& d = device();
  const std::lock_guard lock(d.mutex);
  if (bytes > d.all - d.used || posix_memalign(memory, 256, bytes) != 0) return noted(cudaErrorMemoryAllocation);
  std::memset(*memory, 0xff, bytes);
  d.blocks[static_cast<char*>(*memory)] = bytes;
  d.used += bytes;
  return cudaSuccess;
}

cudaError_t cudaFree(void* memory) {
  if (memory == nullptr) return cudaSuccess;
  if (const cudaError_t error = simt::forbidden(simt::Call::frees); error != cudaSuccess) return error;
  simt::catch_up();
  Device& d = device();
  const std::lock_guard lock(d.mutex);
  const auto block = d.blocks.find(static_cast<char*>(memory));
  if (block == d.blocks.end()) return noted(cudaErrorInvalidValue);
  d.used -= block->second;
  d.blocks.erase(block);
  std::free(memory);
  return cudaSuccess;
}

cudaError_t cudaMallocHost(void** memory, size_t bytes) {
  *memory = nullptr;
  if (bytes == 0) return cudaSuccess;
  if (posix_memalign(memory, 256, bytes) != 0) return noted(cudaErrorMemoryAllocation);
  Device& d = device();
  const std::lock_guard lock(d.mutex);
  d.pinned[static_cast<char*>(*memory)] = bytes;
  return cudaSuccess;
}
cudaError_t cudaHostAlloc(void** memory, size_t bytes, unsigned) { return cudaMallocHost(memory, bytes); }
cudaError_t cudaFreeHost(void* memory) {
  if (memory == nullptr) return cudaSuccess;
  simt::catch_up();
  Device& d = device();
  const std::lock_guard lock(d.mutex);
  d.pinned.erase(static_cast<char*>(memory));
  return std::free(memory), cudaSuccess;
}

cudaError_t cudaMemGetInfo(size_t* free, size_t* total) {
  Device& d = device();
  const std::lock_guard lock(d.mutex);
  *total = d.all;
  *free = d.all - d.used;
  return cudaSuccess;
}

namespace {

/// Whether both ends of a copy are where its kind says.
bool placed(const void* to, const void* from, cudaMemcpyKind kind) {
  const bool to_device = kind == cudaMemcpyHostToDevice || kind == cudaMemcpyDeviceToDevice;
  const bool from_device = kind == cudaMemcpyDeviceToHost || kind == cudaMemcpyDeviceToDevice;
  return kind == cudaMemcpyDefault || (on_device(to) == to_device && on_device(from) == from_device);
}

void copy(void* to, const void* from, size_t bytes, cudaMemcpyKind kind) {
  if (!placed(to, from, kind)) return (void)noted(cudaErrorInvalidValue);
  std::memmove(to, from, bytes);
}
void set(void* memory, int value, size_t bytes) {
  if (!on_device(memory)) return (void)noted(cudaErrorInvalidValue);
  std::memset(memory, value, bytes);
}

}  // namespace

cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind kind, cudaStream_t stream) {
  if (bytes == 0) return cudaSuccess;
  if (kind != cudaMemcpyDeviceToDevice) {
    if (const cudaError_t error = simt::forbidden_on(stream); error != cudaSuccess) return error;
  }
  if (!placed(to, from, kind)) return noted(cudaErrorInvalidValue);
  const auto work = [=] { copy(to, from, bytes, kind); };
  const bool late = kind == cudaMemcpyHostToDevice && stream != nullptr && within(device().pinned, from);
  return late ? simt::queue_late(stream, work) : simt::queue(stream, work);
}
cudaError_t cudaMemcpy(void* to, const void* from, size_t bytes, cudaMemcpyKind kind) {
  const cudaError_t error = simt::forbidden(simt::Call::at_once);
  return error != cudaSuccess ? error : cudaMemcpyAsync(to, from, bytes, kind, nullptr);
}
cudaError_t cudaMemsetAsync(void* memory, int value, size_t bytes, cudaStream_t stream) {
  if (bytes == 0) return cudaSuccess;
  if (!on_device(memory)) return noted(cudaErrorInvalidValue);
  return simt::queue(stream, [=] { set(memory, value, bytes); });
}
cudaError_t cudaMemset(void* memory, int value, size_t bytes) {
  const cudaError_t error = simt::forbidden(simt::Call::at_once);
  return error != cudaSuccess ? error : cudaMemsetAsync(memory, value, bytes, nullptr);
}

cudaError_t cudaFuncGetAttributes(cudaFuncAttributes* attributes, const void*) {
  return *attributes = {simt::shared_own, 10 * device().major + device().minor}, cudaSuccess;
}
cudaError_t cudaFuncSetAttribute(const void* function, cudaFuncAttribute attribute, int value) {
  if (attribute != cudaFuncAttributeMaxDynamicSharedMemorySize) return cudaSuccess;
  return noted(value >= 0 && simt::allow_shared(function, size_t(value)) ? cudaSuccess : cudaErrorInvalidValue);
}
