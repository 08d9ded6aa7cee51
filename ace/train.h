#pragma once
#include <nlohmann/json_fwd.hpp>
#include <optional>

#include "ace/progress.h"
#include "ace/run.h"

namespace ace {

struct TrainOptions {
  bool resume = false;                          ///< go on from the run's checkpoint; without one it is an error
  std::optional<std::filesystem::path> corpus;  ///< where the corpus is now, when not at its recorded place
};

/// Trains the retriever on the run's corpus (paper section 3.5) and commits weights, checkpoint and log to the run:
/// every train.checkpoint_steps steps, after every epoch that was measured, at the end, and when a signal asks to stop.
/// Resumed, it goes on bit for bit as if it had not been interrupted; a setting that would prevent that, or that the
/// run's identifiers were made with, must be as the run has it. Returns how far it came (README, "JSON").
nlohmann::json train(Run& run, const Settings& settings, const TrainOptions& options, const Progress& progress);

/// The corpus a run was made from, checked against the checksum that the run records.
Corpus load_run_corpus(const Run& run, const std::optional<std::filesystem::path>& elsewhere);

}  // namespace ace
