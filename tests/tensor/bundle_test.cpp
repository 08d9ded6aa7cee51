#include "tensor/bundle.h"

#include <gtest/gtest.h>

#include <cstring>

namespace tensor {
namespace {

TEST(Bundle, HasCopiesOfItsPartsInOneBlock) {
  const std::vector<Tensor> parts = {Tensor::of<int32_t>({2, 2}, {1, 2, 3, 4}), Tensor({0, 3}, DType::f32),
                                     Tensor::of<double>({}, {0.5}), full({100}, DType::i64, 7)};
  Bundle bundle = Bundle::of(parts);
  EXPECT_EQ(Bundle::offsets(parts), (std::vector<int64_t>{0, 256, 256, 512, 1536}));
  EXPECT_EQ(bundle.block().bytes(), 1536);
  for (size_t i = 0; i < parts.size(); ++i) {
    EXPECT_EQ(bundle[i].shape(), parts[i].shape());
    EXPECT_EQ(bundle[i].dtype(), parts[i].dtype());
    EXPECT_EQ(bundle[i].raw(), static_cast<std::byte*>(bundle.block().raw()) + Bundle::offsets(parts)[i]);
    EXPECT_EQ(std::memcmp(bundle[i].raw(), parts[i].raw(), size_t(parts[i].bytes())), 0);
  }
  const Tensor last = bundle[3];
  bundle = Bundle();
  EXPECT_EQ(last.data<int64_t>()[99], 7) << "a part keeps the block";
  EXPECT_EQ(Bundle::of(parts).to(Device::cpu)[2].item(), 0.5);
}

}  // namespace
}  // namespace tensor
