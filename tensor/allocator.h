#pragma once
#include <cstdint>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "tensor/tensor.h"

namespace tensor {

/// Bytes, but for the last. `in_use + cached` is what the system gave and has not got back.
struct AllocatorStatistics {
  int64_t in_use = 0;              ///< in blocks that a tensor holds
  int64_t cached = 0;              ///< in blocks that wait for the next tensor
  int64_t peak = 0;                ///< largest in_use so far
  int64_t system_allocations = 0;  ///< how often the system was asked
};

/// Keeps the blocks that tensors return and hands them out again, so that a training step, which wants the same sizes
/// as the step before, asks the system for nothing. Blocks start at a multiple of 64 bytes. Safe to use from several
/// threads.
class CachingAllocator {
 public:
  /// A device is two functions: one that returns a block or null, one that takes it back.
  using Allocate = void* (*)(int64_t bytes);
  using Free = void (*)(void* block);
  CachingAllocator(const char* name, Allocate allocate, Free free, bool on_host = true)
      : name_(name), allocate_(allocate), free_(free), on_host_(on_host) {}

  /// Uninitialised memory for at least `bytes` (0 is allowed); goes back to the cache with the last owner. When the
  /// system has none left, the cache is released and the system asked again before this fails.
  Storage allocate(int64_t bytes);
  /// Gives all cached blocks back to the system, unless they are kept.
  void release_cached();
  /// +1: keeps cached blocks, since somebody will use them by their addresses; −1: one of them is done.
  void keep(int change);
  AllocatorStatistics statistics() const;

 private:
  void* take(int64_t block_bytes);
  void put_back(void* block, int64_t block_bytes);
  void release_locked();

  const char* name_;
  Allocate allocate_;
  Free free_;
  bool on_host_;
  mutable std::mutex mutex_;
  std::unordered_map<int64_t, std::vector<void*>> free_blocks_;  ///< by block size
  AllocatorStatistics statistics_;
  int kept_ = 0;
};

/// The size of the block that serves `bytes`: four sizes per power of two, multiples of 64, so at most a quarter is
/// spare.
int64_t block_size(int64_t bytes);

/// The allocator of a device; fails for a device that is not to be had (transfer.h, missing). On a GPU what a graph's
/// work makes (graph.h) comes from memory of its own, which stays as long as there are graphs.
CachingAllocator& allocator(Device device = Device::cpu);
CachingAllocator& graph_allocator();

/// Asks the system for large pages where a block of host memory has room for them: of hundreds of megabytes that are
/// written once, the system's own work, page by page, is otherwise a third of the time. A hint; where there are none,
/// or the block is smaller than one, nothing changes.
void prefer_large_pages(void* block, size_t bytes);

}  // namespace tensor
