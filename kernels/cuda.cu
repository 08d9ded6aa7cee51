#include <algorithm>
#include <cstdio>
#include <cstring>
#include <mutex>

#include "kernels/cublaslt.h"
#include "kernels/launch.h"
#include "kernels/working_memory.h"

#if __has_include(<nvtx3/nvToolsExt.h>)
#include <nvtx3/nvToolsExt.h>
#define ACE_RANGES 1
#endif

namespace kernels {
namespace {

/// One line that outlives its maker.
struct Line {
  char text[512] = "";
};

/// What the process has of the first device: made once, at first use, and never unmade, since tensors may outlive it.
struct Context {
  Line missing, error, reported;
  char name[256] = "";
  int capability = 0, code = 0;  // of the card; of what its code was made for
  cudaStream_t stream = nullptr;
  std::mutex mutex;  // for `error` and `reported`
  WorkingMemory scratch[2];
  void (*spare)() = nullptr;

  Context() {
    int devices = 0;
    cudaDeviceProp card{};
    cudaError_t e = cudaGetDeviceCount(&devices);
    if (e == cudaSuccess && devices == 0) e = cudaErrorNoDevice;
    if (e == cudaSuccess) e = cudaGetDeviceProperties(&card, 0);
    if (e == cudaSuccess) e = cudaSetDevice(0);
    std::snprintf(name, sizeof name, "%s", card.name);
    capability = 10 * card.major + card.minor;
    if (e == cudaSuccess && !has_code_for_card()) return;
    if (e == cudaSuccess) e = cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking);
    if (e != cudaSuccess) {
      cudaGetLastError();
      std::snprintf(missing.text, sizeof missing.text, "no CUDA device: %s", cudaGetErrorString(e));
    } else if (const char* const why = cublaslt_missing()) {
      std::snprintf(missing.text, sizeof missing.text, "%s", why);
    }
  }

  bool has_code_for_card();
};

Context& context() {
  static Context* const one = new Context;
  return *one;
}

__global__ void probe_kernel() {}

bool Context::has_code_for_card() {
  cudaFuncAttributes attributes;
  if (cudaFuncGetAttributes(&attributes, reinterpret_cast<const void*>(probe_kernel)) != cudaSuccess) {
    cudaGetLastError();
    std::snprintf(missing.text, sizeof missing.text,
                  "no code for %s (compute capability %d.%d) in this build: configure with "
                  "-DCMAKE_CUDA_ARCHITECTURES=%d and a toolkit that knows it",
                  name, capability / 10, capability % 10, capability);
    return false;
  }
  code = attributes.ptxVersion;
  return true;
}

}  // namespace

void note(cudaError_t error, const char* what) {
  if (error == cudaSuccess) return;
  cudaGetLastError();
  Context& c = context();
  const std::lock_guard lock(c.mutex);
  if (c.error.text[0] == 0) {
    std::snprintf(c.error.text, sizeof c.error.text, "CUDA: %s: %s", what, cudaGetErrorString(error));
  }
}

void allow_shared_memory(const void* kernel) {
  int most = 0;
  cudaFuncAttributes own{};
  cudaError_t e = cudaDeviceGetAttribute(&most, cudaDevAttrMaxSharedMemoryPerBlockOptin, 0);
  if (e == cudaSuccess) e = cudaFuncGetAttributes(&own, kernel);
  most -= int(own.sharedSizeBytes);
  if (e == cudaSuccess) e = cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, most);
  note(e, "shared memory");
}

const char* Cuda::missing() { return context().missing.text[0] ? context().missing.text : nullptr; }
const char* Cuda::name() { return context().name; }
int Cuda::capability() { return context().capability; }
bool Cuda::has_bf16() { return std::min(context().capability, context().code) >= 80; }

const char* Cuda::error() {
  Context& c = context();
  const std::lock_guard lock(c.mutex);
  if (c.error.text[0] == 0) return nullptr;
  c.reported = c.error;
  c.error.text[0] = 0;
  return c.reported.text;
}

CUstream_st* Cuda::stream() const { return context().stream; }

void* Cuda::allocate(int64_t bytes) {
  void* block = nullptr;
  if (missing() != nullptr || cudaMalloc(&block, size_t(bytes)) == cudaSuccess) return block;
  cudaGetLastError();
  return nullptr;
}
void* Cuda::allocate_sparing(int64_t bytes) {
  void* const block = allocate(bytes);
  if (block != nullptr || context().spare == nullptr) return block;
  context().spare();
  return allocate(bytes);
}
void Cuda::free(void* block) { note(cudaFree(block), "free"); }

void Cuda::when_short(void (*spare)()) { context().spare = spare; }

void* WorkingMemory::take(int64_t bytes) {
  const std::lock_guard lock(mutex_);
  if (bytes_ >= std::max<int64_t>(bytes, 1)) return memory_;
  const int64_t wanted = std::max({2 * bytes_, bytes, int64_t(256)});
  void* const block = Cuda::allocate_sparing(wanted);
  if (block == nullptr) return note(cudaErrorMemoryAllocation, "working memory"), nullptr;
  bytes_ = wanted;
  return memory_ = block;
}
void* Cuda::scratch(int which, int64_t bytes) const { return context().scratch[which].take(bytes); }

void Cuda::upload(void* device, const void* host, int64_t bytes) const {
  if (bytes == 0) return;
  // From pageable memory: the call returns once the driver has a copy of its own.
  note(cudaMemcpyAsync(device, host, size_t(bytes), cudaMemcpyHostToDevice, stream()), "copy to the device");
}
void Cuda::download(void* host, const void* device, int64_t bytes) const {
  if (bytes != 0) {
    note(cudaMemcpyAsync(host, device, size_t(bytes), cudaMemcpyDeviceToHost, stream()), "copy from the device");
  }
  synchronize();
}
void Cuda::copy(void* to, const void* from, int64_t bytes) const {
  if (bytes != 0) note(cudaMemcpyAsync(to, from, size_t(bytes), cudaMemcpyDeviceToDevice, stream()), "copy");
}
void Cuda::clear(void* to, int64_t bytes) const {
  if (bytes != 0) note(cudaMemsetAsync(to, 0, size_t(bytes), stream()), "clear");
}
void Cuda::synchronize() const { note(cudaStreamSynchronize(stream()), "kernel"); }

void Cuda::begin_range([[maybe_unused]] const char* name) {
#ifdef ACE_RANGES
  nvtxRangePushA(name);
#endif
}
void Cuda::end_range() {
#ifdef ACE_RANGES
  nvtxRangePop();
#endif
}

}  // namespace kernels
