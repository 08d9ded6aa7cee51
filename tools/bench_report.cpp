#include "tools/bench_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstring>

#include "kernels/gemm.h"
#include "tensor/tensor.h"
#include "tools/print.h"

namespace tools::bench {
namespace {

using tensor::DType;
using tensor::Tensor;

/// GFLOP/s of one n × n × n product.
double gemm_gflops(int64_t n, const Tensor& a, const Tensor& b, const Tensor& c) {
  const double seconds = seconds_of([&] {
    kernels::gemm<float>(kernels::Cpu(), n, n, n, 1, {a.data<float>(), n}, {b.data<float>(), n}, 0, c.data<float>(), n);
  });
  return 2e-9 * double(n) * double(n) * double(n) / seconds;
}

/// The best of `calls` products after one that warms up.
double best_gemm_gflops(int64_t n, int calls) {
  const Tensor a = tensor::full({n, n}, DType::f32, 0.5), b = tensor::full({n, n}, DType::f32, 0.25),
               c = tensor::zeros({n, n}, DType::f32);
  double best = 0;
  for (int i = 0; i <= calls; ++i) {
    const double gflops = gemm_gflops(n, a, b, c);
    if (i > 0) best = std::max(best, gflops);
  }
  return best;
}

double copy_gbps() {
  constexpr int64_t bytes = int64_t(1) << 28;
  const Tensor from = tensor::zeros({bytes}, DType::u8), to = tensor::zeros({bytes}, DType::u8);
  double best = 0;
  for (int i = 0; i < 3; ++i) {
    const double seconds = seconds_of([&] {
      kernels::Cpu().parallel(bytes, 1, [&](int64_t begin, int64_t end) {
        std::memcpy(to.data<uint8_t>() + begin, from.data<uint8_t>() + begin, size_t(end - begin));
      });
    });
    best = std::max(best, 2e-9 * double(bytes) / seconds);
  }
  return best;
}

Peaks measure_peaks() {
  Peaks peaks;
  for (const int64_t n : {1024, 1536, 2048}) {
    const double gflops = best_gemm_gflops(n, 2);
    if (gflops > peaks.gflops) peaks.gflops = gflops, peaks.n = n;
  }
  peaks.gbps = copy_gbps();
  return peaks;
}

std::string duration(double seconds) {
  if (seconds >= 1) return fmt::format("{:.2f} s", seconds);
  if (seconds >= 1e-3) return fmt::format("{:.2f} ms", 1e3 * seconds);
  return fmt::format("{:.2f} µs", 1e6 * seconds);
}

std::string cell(const std::string& member, const nlohmann::json& row) {
  const auto found = row.find(member);
  if (found == row.end() || found->is_null()) return "";
  if (found->is_number() && member.starts_with("seconds")) return duration(found->get<double>());
  if (found->is_number() && member.starts_with("share")) return percent(found->get<double>());
  return short_text(*found);
}

}  // namespace

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const size_t n = values.size();
  return (values[(n - 1) / 2] + values[n / 2]) / 2;
}

double seconds_of(const std::function<void()>& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

Report::Report(const Flags& flags, const char* scenario, std::vector<Column> columns)
    : flags_(flags), scenario_(scenario), columns_(std::move(columns)), peaks_(measure_peaks()) {}

Timing Report::time(const std::function<void()>& work) const {
  std::vector<double> seconds, gflops;
  work();
  for (int64_t i = 0; i < flags_.repetitions; ++i) {
    gflops.push_back(best_gemm_gflops(peaks_.n, 1));
    seconds.push_back(seconds_of(work));
  }
  const auto [fastest, slowest] = std::minmax_element(seconds.begin(), seconds.end());
  return {median(seconds), *fastest, *slowest, median(gflops)};
}

void Report::add(nlohmann::json row) {
  if (!flags_.machine.quiet) fmt::print(stderr, "{}: {}\n", scenario_, scalars(row));
  rows_.push_back(std::move(row));
}

void Report::add(nlohmann::json row, const Timing& timing, double flops) {
  const double gflops = 1e-9 * flops / timing.seconds;
  row.update({{"seconds", timing.seconds},
              {"seconds_fastest", timing.fastest},
              {"seconds_slowest", timing.slowest},
              {"gflop", 1e-9 * flops},
              {"gflops", gflops},
              {"sgemm_gflops", timing.gflops},
              {"share_sgemm", gflops / timing.gflops}});
  add(std::move(row));
}

int Report::print() const {
  const int threads = kernels::Cpu().threads();
  if (flags_.machine.json) {
    print_json({{"scenario", scenario_},
                {"repetitions", flags_.repetitions},
                {"seed", flags_.seed()},
                {"precision", flags_.precision},
                {"machine",
                 {{"threads", threads},
                  {"blas", kernels::gemm_core()},
                  {"sgemm_gflops", peaks_.gflops},
                  {"copy_gb_per_s", peaks_.gbps}}},
                {"rows", rows_},
                {"notes", notes_}});
    return 0;
  }
  std::vector<std::vector<std::string>> table(1);
  for (const Column& column : columns_) table[0].push_back(column.heading);
  for (const nlohmann::json& row : rows_) {
    std::vector<std::string>& cells = table.emplace_back();
    for (const Column& column : columns_) cells.push_back(cell(column.member, row));
  }
  print_table(table);
  for (const auto& line : notes_) fmt::print("{}\n", line.get<std::string>());
  fmt::print("{} threads; peaks: sgemm {:.0f} GFLOP/s (n = {}, {} kernels), copying {:.1f} GB/s\n", threads,
             peaks_.gflops, peaks_.n, kernels::gemm_core(), peaks_.gbps);
  return 0;
}

}  // namespace tools::bench
