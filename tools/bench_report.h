#pragma once
#include <functional>
#include <nlohmann/json.hpp>

#include "tensor/tensor.h"
#include "tools/bench.h"

namespace tools::bench {

/// What the device can do, measured in the same run as what is judged by it.
struct Peaks {
  double gflops = 0;  ///< of kernels::gemm<float>: the best n × n × n product, n from 1,024 to 2,048; a GPU's to 8,192
  int64_t n = 0;      ///< of that product
  double narrow = 0;  ///< GFLOP/s of the same product in the precision that was asked for, where that is not f32
  double gbps = 0;    ///< copying 256 MB with all threads, a GPU's 1 GB, bytes read plus bytes written
};

struct Timing {
  double seconds = 0;               ///< median of the repetitions
  double fastest = 0, slowest = 0;  ///< of them
  double gflops = 0;                ///< the sgemm peak beside them: its median
  double narrow = 0;                ///< the peak in bf16 or int8, likewise; 0 with f32
};

double median(std::vector<double> values);
/// Seconds that a call takes.
double seconds_of(const std::function<void()>& work);

/// Rows of one scenario under the peaks of the machine: a table, or one JSON document
///   {scenario, repetitions, seed, precision, machine: {device, threads, engine, sgemm_gflops, product_gflops,
///   copy_gb_per_s}, rows, notes}
/// Each row is shown on standard error as it comes, unless --quiet.
class Report {
 public:
  /// A column shows a member of the rows. Members named `seconds…` are shown with a unit, `share…` in percent, null as
  /// a dash.
  struct Column {
    const char* member;
    const char* heading;
  };
  /// Measures the peaks. Fails where the device, or the precision on it, is not to be had.
  Report(const Flags& flags, const char* scenario, std::vector<Column> columns);
  const Peaks& peaks() const { return peaks_; }

  /// A warm-up, on a GPU two, then the repetitions, each beside a measure of the sgemm peak: the machine may not be
  /// ours alone.
  Timing time(const std::function<void()>& work) const;
  void add(nlohmann::json row);
  /// A row of what took `seconds`, with `gflop`, `gflops` and `share_sgemm` for `flops` operations; in bf16 and int8
  /// `share_product` too, of the peak in that precision.
  void add(nlohmann::json row, const Timing& timing, double flops);
  /// `gb_per_s` and `share_copy` of what read and wrote so many bytes.
  nlohmann::json copying(double bytes, double seconds) const;
  /// A line about what is not in the table, and why.
  void note(const std::string& line) { notes_.push_back(line); }
  /// Prints all; returns exit code 0.
  int print() const;
  const nlohmann::json& rows() const { return rows_; }

 private:
  /// GFLOP/s of one n × n × n product, in f32 or in the precision that was asked for.
  double product_gflops(int64_t n, bool narrow) const;
  /// GB/s of copying, read and written.
  double copy_gbps() const;
  /// Seconds that a call takes until the device is done with it.
  double seconds_until_done(const std::function<void()>& work) const;

  bool narrow() const { return flags_.precision() != kernels::Precision::full; }

  const Flags& flags_;
  std::string scenario_;
  std::vector<Column> columns_;
  std::vector<int64_t> sizes_;  ///< of the products that measure the peak; their operands, in f32 and narrow:
  tensor::Tensor factor_, product_, narrow_factor_, narrow_product_;
  Peaks peaks_;
  nlohmann::json rows_ = nlohmann::json::array(), notes_ = nlohmann::json::array();
};

}  // namespace tools::bench
