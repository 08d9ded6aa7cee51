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

constexpr int64_t largest = 2048;

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
    : flags_(flags),
      scenario_(scenario),
      columns_(std::move(columns)),
      factor_(tensor::full({largest, largest}, DType::f32, 0.5)),
      product_(tensor::zeros({largest, largest}, DType::f32)) {
  for (const int64_t n : {int64_t(1024), int64_t(1536), largest}) {
    for (int call = 0; call < 2; ++call) {
      const double gflops = product_gflops(n, kernels::Precision::full);
      if (gflops > peaks_.gflops) peaks_.gflops = gflops, peaks_.n = n;
      if (narrow()) peaks_.narrow = std::max(peaks_.narrow, product_gflops(n, flags_.precision()));
    }
  }
  peaks_.gbps = copy_gbps();
}

double Report::product_gflops(int64_t n, kernels::Precision precision) const {
  const kernels::Matrix<float> factor{factor_.data<float>(), n};
  const double seconds = seconds_of([&] {
    kernels::gemm<float>(kernels::Cpu(), n, n, n, 1, factor, factor, 0, product_.data<float>(), n, {}, precision);
  });
  return 2e-9 * double(n) * double(n) * double(n) / seconds;
}

Timing Report::time(const std::function<void()>& work) const {
  std::vector<double> seconds, gflops, narrow_gflops;
  work();
  for (int64_t i = 0; i < flags_.repetitions; ++i) {
    gflops.push_back(product_gflops(peaks_.n, kernels::Precision::full));
    narrow_gflops.push_back(narrow() ? product_gflops(peaks_.n, flags_.precision()) : 0);
    seconds.push_back(seconds_of(work));
  }
  const auto [fastest, slowest] = std::minmax_element(seconds.begin(), seconds.end());
  return {median(seconds), *fastest, *slowest, median(gflops), median(narrow_gflops)};
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
  if (narrow()) row["share_product"] = gflops / timing.narrow;
  add(std::move(row));
}

int Report::print() const {
  const int threads = kernels::Cpu().threads();
  if (flags_.machine.json) {
    print_json({{"scenario", scenario_},
                {"repetitions", flags_.repetitions},
                {"seed", flags_.seed()},
                {"precision", flags_.precision_name()},
                {"machine",
                 {{"threads", threads},
                  {"engine", kernels::gemm_engine(flags_.precision())},
                  {"sgemm_gflops", peaks_.gflops},
                  {"product_gflops", narrow() ? peaks_.narrow : peaks_.gflops},
                  {"copy_gb_per_s", peaks_.gbps}}},
                {"rows", rows_},
                {"notes", notes_}});
    return 0;
  }
  std::vector<std::vector<std::string>> table(1);
  std::vector<Column> columns = columns_;
  if (narrow()) columns.push_back({"share_product", "of its peak"});
  for (const Column& column : columns) table[0].push_back(column.heading);
  for (const nlohmann::json& row : rows_) {
    std::vector<std::string>& cells = table.emplace_back();
    for (const Column& column : columns) cells.push_back(cell(column.member, row));
  }
  print_table(table);
  for (const auto& line : notes_) fmt::print("{}\n", line.get<std::string>());
  const std::string product = narrow() ? fmt::format(", {} {:.0f}", flags_.precision_name(), peaks_.narrow) : "";
  fmt::print("{} threads, {}; peaks: sgemm {:.0f}{} GFLOP/s (n = {}), copying {:.1f} GB/s\n", threads,
             kernels::gemm_engine(flags_.precision()), peaks_.gflops, product, peaks_.n, peaks_.gbps);
  return 0;
}

}  // namespace tools::bench
