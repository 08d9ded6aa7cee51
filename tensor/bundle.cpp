#include "tensor/bundle.h"

namespace tensor {

std::vector<int64_t> Bundle::offsets(std::span<const Tensor> parts) {
  std::vector<int64_t> result{0};
  for (const Tensor& part : parts) result.push_back((result.back() + part.bytes() + 255) / 256 * 256);
  return result;
}

Bundle::Bundle(std::span<const Tensor> like, Device device)
    : Bundle(like, Tensor(Shape{offsets(like).back()}, DType::u8, device)) {}

Bundle::Bundle(std::span<const Tensor> like, Tensor block) : block_(std::move(block)) {
  const auto owner = std::make_shared<Tensor>(block_);
  const std::vector<int64_t> begin = offsets(like);
  for (size_t i = 0; i < like.size(); ++i) {
    const Storage storage{static_cast<std::byte*>(block_.raw()) + begin[i], like[i].bytes(), owner};
    parts_.emplace_back(like[i].shape(), like[i].dtype(), block_.device(), storage);
  }
}

Bundle Bundle::of(std::span<const Tensor> parts) {
  Bundle result(parts, Device::cpu);
  for (size_t i = 0; i < parts.size(); ++i) copy(result.parts_[i], parts[i]);
  return result;
}

Bundle Bundle::to(Device device) const { return Bundle(parts_, block_.to(device)); }

}  // namespace tensor
