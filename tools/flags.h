#pragma once
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "ace/corpus.h"
#include "ace/progress.h"
#include "ace/run.h"
#include "ace/settings.h"
#include "tools/command_line.h"

namespace tools {

/// The flags that every verb takes.
struct Flags {
  bool json = false, quiet = false;
  std::vector<std::string> assignments;  ///< --set NAME=VALUE
  std::optional<std::filesystem::path> config;
  std::string device = "cpu";
  tensor::Device on() const { return device == "cuda" ? tensor::Device::cuda : tensor::Device::cpu; }
  int64_t threads = 0;  ///< 0: all that the process may use
  std::optional<int64_t> seed;
  std::optional<std::string> precision;
};
void add_flags(const CommandLine& program, Flags& flags);
/// Help text on the settings of a stage, or with "" on all.
std::string settings_help(std::string_view stage);
/// Refuses words that mean nothing and sets the number of threads.
void apply_machine_flags(const Flags& flags);
/// Fails in one line where the device is not to be had.
void require_device(const Flags& flags);

/// Layers over the defaults: settings.toml of the corpus, --config, --set, --seed, and --precision for the RQ-VAE.
ace::Settings settings_for_corpus(const Flags& flags, const std::string& corpus_settings, const std::string& origin);
/// Layers over the run's settings: --config, --set, --seed, and --precision for `stage`, train or search. Changing one
/// that shaped what the run already holds is an error: those of identify always, those of train unless `may_train`.
ace::Settings settings_for_run(const Flags& flags, const ace::Run& run, std::string_view stage, bool may_train);

}  // namespace tools
