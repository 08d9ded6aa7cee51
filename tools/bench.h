#pragma once
#include "tools/verbs.h"

/// The program `bench`: one file a scenario (bench_*.cpp), each with its options and what it measures. A scenario draws
/// its input, times work of the other rooms and adds rows to a report (bench_report.h).
namespace tools::bench {

/// The flags that every scenario takes.
struct Flags {
  tools::Flags machine;  ///< of it: --json, --device, --threads, --seed, --precision, --quiet
  int64_t repetitions = 3;
  std::string precision_name() const { return machine.precision.value_or("f32"); }
  kernels::Precision precision() const { return ace::precision_of(precision_name()); }
  uint64_t seed() const { return uint64_t(machine.seed.value_or(1)); }
};
void add_flags(CLI::App& app, Flags& flags);
/// Refuses values that mean nothing, before anything is measured, and sets the number of threads.
void apply_flags(const Flags& flags);
/// Fails, as wrong usage, on a device other than the CPU: for scenarios that measure nothing there.
void check_on_cpu(const Flags& flags, const char* what);
/// Fails, as wrong usage, on a precision other than f32: for scenarios that compute in nothing else.
void check_f32(const Flags& flags, const char* what);
/// Fails, as wrong usage, unless every value lies from `low` to `high`.
void check_range(const char* option, const std::vector<int64_t>& values, int64_t low, int64_t high);

void add_kernels(CLI::App& app, const Flags& flags, Action& action);
void add_train(CLI::App& app, const Flags& flags, Action& action);
void add_search(CLI::App& app, const Flags& flags, Action& action);
void add_kmeans(CLI::App& app, const Flags& flags, Action& action);
void add_trie(CLI::App& app, const Flags& flags, Action& action);

/// Adds a subcommand: its own options by `options`, run by `run(flags, its struct)`.
template <class Options, class Define, class Run>
void add_scenario(CLI::App& app, const Flags& flags, Action& action, const char* name, const char* help, Define define,
                  Run run) {
  CLI::App* scenario = app.add_subcommand(name, help);
  scenario->fallthrough();
  scenario->footer([&app] { return flags_help(app); });
  const auto options = std::make_shared<Options>();
  define(*scenario, *options);
  scenario->callback(
      [&flags, &action, options, run] { action = [&flags, options, run] { return run(flags, *options); }; });
}

}  // namespace tools::bench
