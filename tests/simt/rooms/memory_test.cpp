#include "kernels/backend.h"
#include "tensor/allocator.h"
#include "tensor/feed.h"
#include "tests/cuda/rooms/device.h"
#include "tests/files.h"
#include "tests/simt/host_api.h"

namespace tensor {
namespace {

constexpr int64_t mib = int64_t(1) << 20;

/// A device with 100 MiB to give, 60 of which are cached.
class ShortOfMemory : public testing::Test {
 protected:
  void SetUp() override {
    SKIP_WITHOUT_DEVICE();
    cuda().release_cached();
    size_t free = 0;
    cudaMemGetInfo(&free, &all_);
    simt::set_memory(all_ - free + 100 * mib);
    { const Tensor gone({60 * mib}, DType::u8, Device::cuda); }
    EXPECT_GE(cuda().statistics().cached, 60 * mib);
  }
  void TearDown() override { simt::set_memory(all_); }
  static CachingAllocator& cuda() { return allocator(Device::cuda); }

 private:
  size_t all_ = 0;
};

TEST_F(ShortOfMemory, WorkingMemoryIsWhatWasCached) {
  EXPECT_NE(kernels::Cuda().scratch(1, 80 * mib), nullptr);
  EXPECT_EQ(cuda().statistics().cached, 0);
  EXPECT_EQ(kernels::Cuda::error(), nullptr);
}

TEST_F(ShortOfMemory, AFeedTakesWhatWasCachedOrSaysThatThereIsNone) {
  Feed feed;
  const Tensor some[] = {Tensor({80 * mib}, DType::u8)}, more[] = {Tensor({200 * mib}, DType::u8)};
  feed.send(some);
  EXPECT_EQ(cuda().statistics().cached, 0);
  EXPECT_EQ(message_of([&] { feed.send(more); }), "CUDA: feed: out of memory");
}

}  // namespace
}  // namespace tensor
