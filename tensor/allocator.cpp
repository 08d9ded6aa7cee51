#include "tensor/allocator.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cstdlib>

#include "kernels/backend.h"
#include "tensor/graph.h"
#include "tensor/transfer.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#include <sanitizer/asan_interface.h>
#endif
#endif

namespace tensor {
namespace {

/// Tells the address sanitizer, where there is one, that only the first `usable` bytes of a block may be touched: a
/// cache would otherwise hide reads of a freed tensor and past a tensor's end.
void guard([[maybe_unused]] void* block, [[maybe_unused]] int64_t usable, [[maybe_unused]] int64_t block_bytes) {
#ifdef ASAN_POISON_MEMORY_REGION
  ASAN_UNPOISON_MEMORY_REGION(block, size_t(block_bytes));
  ASAN_POISON_MEMORY_REGION(static_cast<char*>(block) + usable, size_t(block_bytes - usable));
#endif
}

constexpr int64_t alignment = 64;  // a cache line, and the widest vector

void* allocate_on_cpu(int64_t bytes) { return std::aligned_alloc(size_t(alignment), size_t(bytes)); }

}  // namespace

int64_t block_size(int64_t bytes) {
  if (bytes <= alignment) return alignment;
  const int64_t power = int64_t(std::bit_floor(uint64_t(bytes - 1)));  // power < bytes ≤ 2·power
  const int64_t step = std::max(alignment, power / 4);
  return (bytes + step - 1) / step * step;
}

void prefer_large_pages(void* block, size_t bytes) {
  constexpr size_t large = size_t(2) << 20;  // of an x86-64
  if (bytes < large) return;                 // and in the heap of small blocks the hint would cut it in pieces
  static const uintptr_t page = uintptr_t(sysconf(_SC_PAGESIZE));
  const uintptr_t begin = (reinterpret_cast<uintptr_t>(block) + page - 1) / page * page;
  const uintptr_t end = (reinterpret_cast<uintptr_t>(block) + bytes) / page * page;
  ::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_HUGEPAGE);
}

Storage CachingAllocator::allocate(int64_t bytes) {
  constexpr int64_t most = int64_t(1) << 60;
  check(bytes >= 0 && bytes <= most, "allocator: {} bytes asked of {}, at most {} possible", bytes, name_, most);
  const int64_t size = block_size(bytes);
  void* const block = take(size);
  if (on_host_) guard(block, bytes, size);
  return {block, bytes, std::shared_ptr<void>(block, [this, size](void* p) { put_back(p, size); })};
}

void* CachingAllocator::take(int64_t size) {
  const std::lock_guard lock(mutex_);
  void* block = nullptr;
  if (std::vector<void*>& blocks = free_blocks_[size]; !blocks.empty()) {
    block = blocks.back();
    blocks.pop_back();
    statistics_.cached -= size;
  } else {
    block = allocate_(size);
    if (!block) {
      release_locked();
      block = allocate_(size);
    }
    check(block != nullptr, "allocator: no memory for {} bytes on {} ({} in use)", size, name_, statistics_.in_use);
    ++statistics_.system_allocations;
  }
  statistics_.in_use += size;
  statistics_.peak = std::max(statistics_.peak, statistics_.in_use);
  return block;
}

void CachingAllocator::put_back(void* block, int64_t size) {
  if (on_host_) guard(block, 0, size);
  const std::lock_guard lock(mutex_);
  free_blocks_[size].push_back(block);
  statistics_.in_use -= size;
  statistics_.cached += size;
}

void CachingAllocator::release_cached() {
  const std::lock_guard lock(mutex_);
  release_locked();
}

void CachingAllocator::keep(int change) {
  const std::lock_guard lock(mutex_);
  kept_ += change;
}

void CachingAllocator::release_locked() {
  if (kept_ > 0 || (!on_host_ && recording_graph())) return;  // a graph that is recorded bears no freeing
  for (auto& [size, blocks] : free_blocks_) {
    for (void* block : blocks) {
      if (on_host_) guard(block, size, size);
      free_(block);
      statistics_.cached -= size;
    }
    blocks.clear();
  }
}

AllocatorStatistics CachingAllocator::statistics() const {
  const std::lock_guard lock(mutex_);
  return statistics_;
}

// Never destroyed: a tensor in a static variable may return its block after every other destructor has run.
#ifdef ACE_CUDA
namespace {
CachingAllocator& cuda_allocator() {
  static CachingAllocator& cuda = []() -> CachingAllocator& {
    kernels::Cuda::when_short([] { cuda_allocator().release_cached(); });
    return *new CachingAllocator("cuda", kernels::Cuda::allocate, kernels::Cuda::free, /*on_host=*/false);
  }();
  return cuda;
}
}  // namespace

CachingAllocator& graph_allocator() {
  static CachingAllocator& graphs =
      *new CachingAllocator("cuda", kernels::Cuda::allocate_sparing, kernels::Cuda::free, /*on_host=*/false);
  return graphs;
}
#endif

CachingAllocator& allocator(Device device) {
  const char* const reason = missing(device);
  check(reason == nullptr, "device {}: {}", name_of(device), reason == nullptr ? "" : reason);
#ifdef ACE_CUDA
  if (device == Device::cuda) return within_graph() ? graph_allocator() : cuda_allocator();
#endif
  static CachingAllocator& cpu = *new CachingAllocator("cpu", allocate_on_cpu, std::free);
  return cpu;
}

}  // namespace tensor
