#pragma once
#include <cstdint>
#include <functional>
#include <string_view>

namespace ace {

/// How far a stage has come: `done` of `total` units (0: unknown); `note` is a short figure such as `loss 2.31`.
struct ProgressStep {
  std::string_view stage;
  int64_t done = 0, total = 0;
  std::string_view note = {};
};

/// What a stage calls at will (the receiver limits how often it draws): `progress({"rq-vae", step, steps, note})`.
/// A default-made Progress says nothing. What the receiver throws ends the stage, which leaves nothing behind.
struct Progress {
  std::function<void(const ProgressStep&)> sink;
  void operator()(const ProgressStep& step) const {
    if (sink) sink(step);
  }
  void operator()(std::string_view stage, int64_t done, int64_t total, std::string_view note = {}) const {
    (*this)(ProgressStep{stage, done, total, note});
  }
};

}  // namespace ace
