#pragma once
#include <array>
#include <cstdint>
#include <vector>

#include "ace/sample_scene.h"
#include "kernels/number.h"

namespace ace::sample {

/// Item embeddings as an encoder might give them, [width] each, unit norm:
///   x ∝ 1.5 offset + Σ_slot w_slot c(slot) + Σ_(a, b) w_ab c(a) ⊙ c(b) + 0.45 noise
/// c: a random unit vector for each word, with a part shared by its theme and, for nouns, by its kind; a role's vectors
/// are drawn for that role alone. ⊙ binds an attribute to its noun and an action to its object. All random directions
/// have a falling spectrum, so the space is anisotropic, and the offset is common to all, as one modality's vectors lie
/// in a cone. Fixed-point integers until the final norm: the same bits on every machine.
class Encoder {
 public:
  static constexpr int width = 128;
  explicit Encoder(uint64_t seed);
  void encode(const Scene& scene, Draw noise, kernels::f16* x) const;

 private:
  using Vector = std::array<int32_t, width>;
  Vector offset_;
  std::array<std::vector<Vector>, slots> concepts_;
};

}  // namespace ace::sample
