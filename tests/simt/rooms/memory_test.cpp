#include "kernels/backend.h"
#include "tensor/allocator.h"
#include "tests/cuda/rooms/device.h"
#include "tests/simt/host_api.h"

namespace tensor {
namespace {

TEST(WorkingMemory, GetsWhatIsCachedWhereTheDeviceHasNoOther) {
  SKIP_WITHOUT_DEVICE();
  constexpr int64_t mib = int64_t(1) << 20;
  CachingAllocator& cuda = allocator(Device::cuda);
  cuda.release_cached();
  size_t free = 0, all = 0;
  cudaMemGetInfo(&free, &all);
  simt::set_memory(all - free + 100 * mib);
  { const Tensor gone({60 * mib}, DType::u8, Device::cuda); }
  EXPECT_GE(cuda.statistics().cached, 60 * mib);
  EXPECT_NE(kernels::Cuda().scratch(1, 80 * mib), nullptr);
  EXPECT_EQ(cuda.statistics().cached, 0);
  EXPECT_EQ(kernels::Cuda::error(), nullptr);
  simt::set_memory(all);
}

}  // namespace
}  // namespace tensor
