#pragma once
#include "tests/cuda/arrays.h"
#include "tests/kernels/trees.h"

namespace kernels {

/// A level of a tree whose arrays are on the device.
class DeviceLevel {
 public:
  explicit DeviceLevel(const Level& level)
      : view(level.view),
        first_(level.first),
        bits_(level.bits),
        list8_(level.list8),
        list16_(level.list16),
        list32_(level.list32) {
    const void* const tokens[] = {nullptr, bits_.data(), list8_.data(), list16_.data(), list32_.data()};
    view.first = first_, view.tokens = tokens[size_t(view.form)];
  }
  TreeLevel view;

 private:
  Device<uint32_t> first_;
  Device<uint64_t> bits_;
  Device<uint8_t> list8_;
  Device<uint16_t> list16_;
  Device<uint32_t> list32_;
};

}  // namespace kernels
