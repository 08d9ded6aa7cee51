#include "tensor/allocator.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <thread>

namespace tensor {
namespace {

int64_t system_limit = 0, system_used = 0;
void* limited_allocate(int64_t bytes) {
  if (system_used + bytes > system_limit) return nullptr;
  system_used += bytes;
  void* const block = std::aligned_alloc(64, size_t(bytes) + 64);
  std::memcpy(block, &bytes, sizeof bytes);
  return static_cast<char*>(block) + 64;
}
void limited_free(void* block) {
  int64_t bytes = 0;
  std::memcpy(&bytes, static_cast<char*>(block) - 64, sizeof bytes);
  system_used -= bytes;
  std::free(static_cast<char*>(block) - 64);
}

TEST(BlockSize, IsAtLeastWhatWasAskedAndAtMostAQuarterMore) {
  EXPECT_EQ(block_size(0), 64);
  EXPECT_EQ(block_size(1), 64);
  EXPECT_EQ(block_size(64), 64);
  EXPECT_EQ(block_size(65), 128);
  EXPECT_EQ(block_size(1024), 1024);
  EXPECT_EQ(block_size(1025), 1280);
  EXPECT_EQ(block_size(1281), 1536);
  EXPECT_EQ(block_size(1793), 2048);
  for (int64_t bytes = 1; bytes < 100'000; ++bytes) {
    const int64_t size = block_size(bytes);
    ASSERT_GE(size, bytes);
    ASSERT_LT(size, bytes + std::max<int64_t>(bytes / 4, 64)) << bytes;
    ASSERT_EQ(size % 64, 0);
    ASSERT_EQ(block_size(size), size);
  }
}

TEST(Allocator, HandsReturnedBlocksOutAgain) {
  CachingAllocator& cpu = allocator();
  cpu.release_cached();
  const AllocatorStatistics before = cpu.statistics();
  for (int step = 0; step < 10; ++step) {
    const Tensor x({100, 7}, DType::f32), y({33}, DType::f64);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(x.raw()) % 64, 0u);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(y.raw()) % 64, 0u);
    EXPECT_EQ(cpu.statistics().in_use, before.in_use + block_size(2800) + block_size(264));
  }
  const AllocatorStatistics after = cpu.statistics();
  EXPECT_EQ(after.system_allocations, before.system_allocations + 2);
  EXPECT_EQ(after.in_use, before.in_use);
  EXPECT_EQ(after.cached, block_size(2800) + block_size(264));
  EXPECT_GE(after.peak, before.in_use + after.cached);
  cpu.release_cached();
  EXPECT_EQ(cpu.statistics().cached, 0);
}

TEST(Allocator, ReleasesItsCacheBeforeItGivesUp) {
  system_limit = 4096;
  CachingAllocator small("small", limited_allocate, limited_free);
  { const Storage first = small.allocate(2048); }
  EXPECT_EQ(small.statistics().cached, 2048);
  {
    const Storage second = small.allocate(4096);  // fits only when the cached block goes back first
    EXPECT_EQ(small.statistics().cached, 0);
    try {
      small.allocate(64);
      FAIL() << "the system has nothing left";
    } catch (const Error& error) {
      EXPECT_STREQ(error.what(), "allocator: no memory for 64 bytes on small (4096 in use)");
    }
  }
  EXPECT_EQ(small.statistics().in_use, 0);
  small.release_cached();
  EXPECT_EQ(system_used, 0);
}

TEST(Allocator, RefusesSizesThatNoMachineHas) {
  EXPECT_THROW(allocator().allocate(-1), Error);
  EXPECT_THROW(allocator().allocate((int64_t(1) << 60) + 1), Error);
  EXPECT_THROW(Tensor({int64_t(1) << 59}, DType::f64), Error);
  EXPECT_THROW(Tensor({int64_t(1) << 61}, DType::f64), Error);  // the bytes would overflow
}

TEST(Allocator, ServesManyThreads) {
  const int64_t before = allocator().statistics().in_use;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([t] {
      for (int i = 0; i < 2000; ++i) {
        const Tensor x = full({1 + i % 50}, DType::i32, t);
        for (const int32_t value : x.values<int32_t>()) ASSERT_EQ(value, t);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(allocator().statistics().in_use, before);
}

}  // namespace
}  // namespace tensor
