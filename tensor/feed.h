#pragma once
#include <memory>

#include "tensor/bundle.h"

namespace kernels {
class CudaFeed;
}

namespace tensor {

/// Tensors on their way from the host to a GPU while that computes (kernels/feed.h): two sets of them at most.
class Feed {
 public:
  Feed();
  ~Feed();
  /// Sends copies of tensors of the CPU.
  void send(std::span<const Tensor> parts);
  /// What was sent first and not received yet, in `to`, which has parts of the same shapes; queued, for what is queued
  /// next.
  void receive(const Bundle& to);

 private:
  std::unique_ptr<kernels::CudaFeed> feed_;
  std::vector<int64_t> sizes_;  ///< of what is on its way
};

}  // namespace tensor
