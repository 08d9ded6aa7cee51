#include "tools/bench_kernels.h"

#include <benchmark/benchmark.h>

#include "ace/text.h"

#include "tools/bench_report.h"
#include "tools/usage.h"

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

/// Median of a call's time over the repetitions.
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

int kernels(const Flags& flags, const Options& options) {
  if (!(options.seconds > 0 && options.seconds <= 60)) {
    fail_usage("--seconds: expected above 0 and up to 60, found {}", options.seconds);
  }
  std::vector<KernelCase> cases = kernel_cases();
  std::erase_if(cases, [&](const auto& c) { return c.kernel.find(options.filter) == std::string::npos; });
  if (cases.empty()) fail_usage("--filter: no kernel has {} in its name", ace::quote(options.filter));
  Report report(flags, "kernels",
                {{"kernel", "kernel"},
                 {"size", "size"},
                 {"seconds", "time"},
                 {"gflops", "GFLOP/s"},
                 {"share_sgemm", "of sgemm"},
                 {"gb_per_s", "GB/s"},
                 {"share_copy", "of copying"}});
  for (const KernelCase& kernel : cases) {
    const double seconds = seconds_of_call(kernel, flags, options);
    const double gbps = 1e-9 * kernel.bytes / seconds;
    nlohmann::json row = {{"kernel", kernel.kernel}, {"size", kernel.size},   {"seconds", seconds},
                          {"bytes", kernel.bytes},   {"flops", kernel.flops}, {"gb_per_s", gbps}};
    row["share_copy"] = gbps / report.peaks().gbps;
    if (kernel.flops > 0) {
      row["gflops"] = 1e-9 * kernel.flops / seconds;
      row["share_sgemm"] = 1e-9 * kernel.flops / seconds / report.peaks().gflops;
    }
    report.add(std::move(row));
  }
  report.note("bytes and operations are those of the formulas; what stays in the caches can be faster than copying");
  return report.print();
}

}  // namespace

void add_kernels(CLI::App& app, const Flags& flags, Action& action) {
  const auto define = [](CLI::App& scenario, Options& options) {
    scenario.add_option("--filter", options.filter, "only kernels with this in their name; default all")
        ->type_name("TEXT");
    scenario.add_option("--seconds", options.seconds, "shortest time of a repetition; default 0.1")->type_name("S");
  };
  add_scenario<Options>(app, flags, action, "kernels", "each kernel at the model's sizes and at large ones", define,
                        kernels);
}

}  // namespace tools::bench
