#pragma once
#include "ace/retriever.h"
#include "nn/optimizer.h"

namespace ace {

/// Everything that training carries from step to step. What a step does is a function of this, the settings and the
/// corpus alone; so a training that is resumed from a saved state goes on bit for bit.
struct TrainingState {
  int64_t step = 0;       ///< steps done
  double best_mrr = -1;   ///< on dev queries; −1: not measured yet
  int64_t best_step = 0;  ///< the step whose weights retriever.safetensors holds
  double loss = 0;        ///< of the last step
  double loss_sum = 0;    ///< over the steps since the last log line
  int64_t loss_steps = 0;

  /// A checkpoint's bytes: weights by their names, moments as first.… and second.…, the rest as metadata.
  std::string save(const nn::Parameters& parameters, const nn::Adam& adam) const;
  /// Restores them from a checkpoint of a training of `total` steps. Fails with one line on what no training of so many
  /// steps can have written.
  static TrainingState load(const std::filesystem::path& file, int64_t total, const nn::Parameters& parameters,
                            nn::Adam& adam);
};

}  // namespace ace
