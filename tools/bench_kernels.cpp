#include "tools/bench_kernels.h"

#include <benchmark/benchmark.h>

#include "ace/text.h"

#include "tools/bench_device.h"
#include "tools/bench_report.h"
#include "tools/usage.h"
#ifdef ACE_CUDA
#include "tools/bench_peer.h"
#endif

namespace tools::bench {
namespace {

struct Options {
  std::string filter;
  double seconds = 0.1;
};

/// Takes Google Benchmark's results and prints nothing.
class Collector : public benchmark::BenchmarkReporter {
 public:
  bool ReportContext(const Context&) override { return true; }
  void ReportRuns(const std::vector<Run>& runs) override {
    for (const Run& run : runs) {
      if (run.run_type == Run::RT_Iteration) seconds.push_back(run.real_accumulated_time / double(run.iterations));
    }
  }
  std::vector<double> seconds;  ///< a call, of each repetition
};

/// Median of a call's time over the repetitions, on the CPU.
double seconds_of_call(const KernelCase& kernel, const Flags& flags, const Options& options) {
  benchmark::ClearRegisteredBenchmarks();
  benchmark::RegisterBenchmark("kernel",
                               [&](benchmark::State& state) {
                                 const std::function<void()> call = kernel.prepare();
                                 call();
                                 for (auto _ : state) call();
                               })
      ->UseRealTime()
      ->MinTime(options.seconds)
      ->Repetitions(int(flags.repetitions));
  Collector collector;
  benchmark::RunSpecifiedBenchmarks(&collector);
  return median(collector.seconds);
}

#ifdef ACE_CUDA
std::vector<KernelCase> cases_of(const Flags& flags) {
  return flags.machine.on() == tensor::Device::cuda ? device_kernel_cases(flags.precision())
                                                    : kernel_cases(flags.precision());
}
/// Seconds of the kernel, and of the library's where it has the operation.
std::pair<double, std::optional<double>> seconds_of_both(const KernelCase& kernel, const Flags& flags,
                                                         const Options& options) {
  if (flags.machine.on() == tensor::Device::cpu) return {seconds_of_call(kernel, flags, options), {}};
  const double ours = device_seconds(kernel.prepare, options.seconds).value();
  return {ours, kernel.peer ? device_seconds(kernel.peer, options.seconds) : std::nullopt};
}
std::string peer_note() {
  const std::string version = peer::cudnn_version();
  return fmt::format("of library: its time over ours, above 100 % where ours is faster; products cublasLt's, others {}",
                     version.empty() ? "not compared: no cuDNN" : "those of cuDNN " + version);
}
#else
std::vector<KernelCase> cases_of(const Flags& flags) { return kernel_cases(flags.precision()); }
std::pair<double, std::optional<double>> seconds_of_both(const KernelCase& kernel, const Flags& flags,
                                                         const Options& options) {
  return {seconds_of_call(kernel, flags, options), {}};
}
std::string peer_note() { return ""; }
#endif

/// A row of the report.
nlohmann::json measured(const Report& report, const KernelCase& kernel, const Flags& flags, const Options& options) {
  const auto [seconds, library] = seconds_of_both(kernel, flags, options);
  const double gflops = 1e-9 * kernel.flops / seconds;
  nlohmann::json row = report.copying(kernel.bytes, seconds);
  row.update({{"kernel", kernel.kernel},
              {"size", kernel.size},
              {"seconds", seconds},
              {"bytes", kernel.bytes},
              {"flops", kernel.flops}});
  if (kernel.flops > 0) {
    row["gflops"] = gflops, row["share_sgemm"] = gflops / report.peaks().gflops;
    if (report.peaks().narrow > 0) row["share_product"] = gflops / report.peaks().narrow;
  }
  if (flags.machine.on() == tensor::Device::cuda) {
    row["seconds_library"] = library ? nlohmann::json(*library) : nlohmann::json();
    row["share_peer"] = library ? nlohmann::json(*library / seconds) : nlohmann::json();
  }
  return row;
}

int kernels(const Flags& flags, const Options& options) {
  if (!(options.seconds > 0 && options.seconds <= 60)) {
    fail_usage("--seconds: expected above 0 and up to 60, found {}", options.seconds);
  }
  const bool cuda = flags.machine.on() == tensor::Device::cuda;
  std::vector<KernelCase> cases = cases_of(flags);
  std::erase_if(cases, [&](const auto& c) { return c.kernel.find(options.filter) == std::string::npos; });
  if (cases.empty()) fail_usage("--filter: no kernel has {} in its name", ace::quote(options.filter));
  std::vector<Report::Column> columns = {
      {"kernel", "kernel"},        {"size", "size"},     {"seconds", "time"},         {"gflops", "GFLOP/s"},
      {"share_sgemm", "of sgemm"}, {"gb_per_s", "GB/s"}, {"share_copy", "of copying"}};
  if (cuda) columns.push_back({"share_peer", "of library"});
  Report report(flags, "kernels", columns);
  for (const KernelCase& kernel : cases) report.add(measured(report, kernel, flags, options));
  report.note("bytes and operations are those of the formulas; what stays in the caches can be faster than copying");
  if (cuda) report.note(peer_note());
  return report.print();
}

}  // namespace

void add_kernels(const CommandLine& program, const Flags& flags) {
  const auto define = [](const CommandLine& scenario, Options& options) {
    scenario.option("--filter", "TEXT", options.filter, "only kernels with this in their name; default all");
    scenario.option("--seconds", "S", options.seconds, "shortest time of a repetition; default 0.1");
  };
  add_scenario<Options>(program, flags, "kernels",
                        "the kernels of training and search, at the model's sizes and at large ones", define, kernels);
}

}  // namespace tools::bench
