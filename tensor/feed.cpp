#include "tensor/feed.h"

#include <cstring>

#include "tensor/transfer.h"

#ifdef ACE_CUDA
#include "kernels/feed.h"
#else
namespace kernels {
class CudaFeed {};
}  // namespace kernels
#endif

namespace tensor {

Feed::Feed() = default;
Feed::~Feed() = default;

#ifdef ACE_CUDA
void Feed::send(std::span<const Tensor> parts) {
  check(sizes_.size() < 2, "feed: two are on their way already");
  if (!feed_) feed_ = std::make_unique<kernels::CudaFeed>();
  const std::vector<int64_t> begin = Bundle::offsets(parts);
  auto* const to = static_cast<std::byte*>(feed_->fill(begin.back()));
  check_kernels(Device::cuda);
  for (size_t i = 0; i < parts.size(); ++i) std::memcpy(to + begin[i], parts[i].raw(), size_t(parts[i].bytes()));
  feed_->send();
  sizes_.push_back(begin.back());
}

void Feed::receive(const Bundle& to) {
  check(!sizes_.empty() && sizes_.front() == to.block().bytes(), "feed: {} bytes wanted, {} sent", to.block().bytes(),
        sizes_.empty() ? 0 : sizes_.front());
  sizes_.erase(sizes_.begin());
  feed_->receive(to.block().raw());
  check_kernels(Device::cuda);
}
#else
void Feed::send(std::span<const Tensor>) { fail("feed: {}", missing(Device::cuda)); }
void Feed::receive(const Bundle&) { fail("feed: {}", missing(Device::cuda)); }
#endif

}  // namespace tensor
