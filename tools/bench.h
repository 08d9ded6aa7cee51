#pragma once
#include <memory>

#include "tools/flags.h"

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
void add_flags(const CommandLine& program, Flags& flags);
/// Refuses values that mean nothing, before anything is measured, and sets the number of threads.
void apply_flags(const Flags& flags);
/// Fails, as wrong usage, on a device other than the CPU: for scenarios that measure nothing there.
void check_on_cpu(const Flags& flags, const char* what);
/// Fails, as wrong usage, on a precision other than f32: for scenarios that compute in nothing else.
void check_f32(const Flags& flags, const char* what);
/// Fails, as wrong usage, unless every value lies from `low` to `high`.
void check_range(const char* option, const std::vector<int64_t>& values, int64_t low, int64_t high);

void add_kernels(const CommandLine& program, const Flags& flags);
void add_train(const CommandLine& program, const Flags& flags);
void add_search(const CommandLine& program, const Flags& flags);
void add_kmeans(const CommandLine& program, const Flags& flags);
void add_trie(const CommandLine& program, const Flags& flags);

/// Adds a scenario: its own options by `define`, run by `run(flags, options)`.
template <class Options, class Define, class Run>
void add_scenario(const CommandLine& program, const Flags& flags, const char* name, const char* help, Define define,
                  Run run) {
  const auto options = std::make_shared<Options>();
  define(program.verb(name, help, [&flags, options, run] { return run(flags, *options); }), *options);
}

}  // namespace tools::bench
