#include "tools/bench_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstring>

#include "kernels/gemm.h"
#include "tensor/dispatch.h"
#include "tools/bench_inputs.h"
#include "tools/exit.h"
#include "tools/print.h"
#include "tools/usage.h"

namespace tools::bench {
namespace {

using tensor::Device;
using tensor::DType;
using tensor::Tensor;

/// Products of the CPU are in f32 and round their factors by themselves; a GPU has numbers of 16 bits.
DType narrow_type(Device device, kernels::Precision precision) {
  if (device == Device::cpu) return DType::f32;
  return precision == kernels::Precision::f16 ? DType::f16 : DType::bf16;
}

/// product = factor · factor, the first n rows and columns of both.
void multiply(const Tensor& factor, const Tensor& product, int64_t n, kernels::Precision precision) {
  tensor::dispatch(tensor::TypeList<float, tensor::f16, tensor::bf16>(), factor, [&](auto backend, auto type) {
    using T = decltype(type);
    if constexpr (std::is_same_v<T, float> || !std::is_same_v<decltype(backend), kernels::Cpu>) {
      const kernels::Matrix<T> x{factor.data<T>(), n};
      kernels::gemm<T>(backend, n, n, n, 1, x, x, 0, product.data<T>(), n, {}, precision);
    }
  });
}

std::string duration(double seconds) {
  if (seconds >= 1) return fmt::format("{:.2f} s", seconds);
  if (seconds >= 1e-3) return fmt::format("{:.2f} ms", 1e3 * seconds);
  return fmt::format("{:.2f} µs", 1e6 * seconds);
}

std::string cell(const std::string& member, const nlohmann::json& row) {
  const auto found = row.find(member);
  if (found == row.end()) return "";
  if (found->is_null()) return "–";
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
    : flags_(flags), scenario_(scenario), columns_(std::move(columns)) {
  const Device device = flags.machine.on();
  require_device(flags.machine);
  if (flags.precision() == kernels::Precision::bf16 && !tensor::has_bf16(device)) {
    fail_usage("--precision bf16: {} has no bf16; take f16", tensor::device_name(device));
  }
  sizes_ = device == Device::cpu ? std::vector<int64_t>{1024, 1536, 2048} : std::vector<int64_t>{2048, 4096, 8192};
  const tensor::Shape shape{sizes_.back(), sizes_.back()};
  const DType type = narrow_type(device, flags.precision());
  factor_ = Tensor(shape, DType::f32, device), product_ = tensor::zeros(shape, DType::f32, device);
  fill_numbers(factor_);  // a GPU at the limit of its power multiplies equal numbers faster
  narrow_factor_ = type == DType::f32 ? factor_ : Tensor(shape, type, device);
  narrow_product_ = type == DType::f32 ? product_ : tensor::zeros(shape, type, device);
  if (type != DType::f32) fill_numbers(narrow_factor_);
  for (const int64_t n : sizes_) {
    for (int call = 0; call < 2; ++call) {
      const double gflops = product_gflops(n, false);
      if (gflops > peaks_.gflops) peaks_.gflops = gflops, peaks_.n = n;
      if (narrow()) peaks_.narrow = std::max(peaks_.narrow, product_gflops(n, true));
    }
  }
  peaks_.gbps = copy_gbps();
}

double Report::product_gflops(int64_t n, bool narrow) const {
  const auto precision = narrow ? flags_.precision() : kernels::Precision::full;
  const double seconds = seconds_until_done(
      [&] { multiply(narrow ? narrow_factor_ : factor_, narrow ? narrow_product_ : product_, n, precision); });
  return 2e-9 * double(n) * double(n) * double(n) / seconds;
}

double Report::copy_gbps() const {
  const bool cpu = flags_.machine.on() == Device::cpu;
  const int64_t bytes = int64_t(1) << (cpu ? 28 : 30);
  const int copies = cpu ? 1 : 10;  // on a GPU so many that what the host takes to wait does not count
  const Tensor from = tensor::zeros({bytes}, DType::u8, flags_.machine.on());
  const Tensor to = tensor::zeros({bytes}, DType::u8, flags_.machine.on());
  double best = 0;
  for (int i = 0; i < 3; ++i) {
    const double seconds = seconds_until_done([&] {
      for (int copy = 0; copy < copies && !cpu; ++copy) tensor::copy(to, from);
      if (!cpu) return;
      kernels::Cpu().parallel(bytes, 1, [&](int64_t begin, int64_t end) {
        std::memcpy(to.data<uint8_t>() + begin, from.data<uint8_t>() + begin, size_t(end - begin));
      });
    });
    best = std::max(best, 2e-9 * double(bytes) * copies / seconds);
  }
  return best;
}

double Report::seconds_until_done(const std::function<void()>& work) const {
  tensor::synchronize(flags_.machine.on());
  return seconds_of([&] {
    work();
    tensor::synchronize(flags_.machine.on());
  });
}

Timing Report::time(const std::function<void()>& work) const {
  std::vector<double> seconds, gflops, narrow_gflops;
  work();
  if (flags_.machine.on() != tensor::Device::cpu) work();  // this is recorded (tensor/graph.h), and then replayed
  for (int64_t i = 0; i < flags_.repetitions; ++i) {
    gflops.push_back(product_gflops(peaks_.n, false));
    narrow_gflops.push_back(narrow() ? product_gflops(peaks_.n, true) : 0);
    seconds.push_back(seconds_until_done(work));
  }
  const auto [fastest, slowest] = std::minmax_element(seconds.begin(), seconds.end());
  return {median(seconds), *fastest, *slowest, median(gflops), median(narrow_gflops)};
}

void Report::add(nlohmann::json row) {
  if (!flags_.machine.quiet) tell(fmt::format("{}: {}\n", scenario_, scalars(row)));
  rows_.push_back(std::move(row));
}

nlohmann::json Report::copying(double bytes, double seconds) const {
  const double gbps = 1e-9 * bytes / seconds;
  return {{"gb_per_s", gbps}, {"share_copy", gbps / peaks_.gbps}};
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
  const bool cpu = flags_.machine.on() == Device::cpu;
  const std::string device = cpu ? "cpu" : tensor::device_name(flags_.machine.on());
  const std::string engine = cpu ? kernels::gemm_engine(flags_.precision()) : "cublasLt";
  if (flags_.machine.json) {
    print_json({{"scenario", scenario_},
                {"repetitions", flags_.repetitions},
                {"seed", flags_.seed()},
                {"precision", flags_.precision_name()},
                {"machine",
                 {{"device", device},
                  {"threads", threads},
                  {"engine", engine},
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
  fmt::print("{}, {}; peaks: sgemm {:.0f}{} GFLOP/s (n = {}), copying {:.1f} GB/s\n",
             cpu ? fmt::format("{} threads", threads) : device, engine, peaks_.gflops, product, peaks_.n, peaks_.gbps);
  return 0;
}

}  // namespace tools::bench
