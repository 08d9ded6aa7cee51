#include "tools/bench_device.h"

#ifdef ACE_CUDA
#include <algorithm>
#include <cmath>

#include "kernels/reduce.h"
#include "kernels/timer.h"
#include "tensor/transfer.h"
#include "tools/bench_report.h"

namespace tools::bench {
namespace {

using tensor::Device;

constexpr int64_t rows = int64_t(1) << 18, cols = int64_t(1) << 10;  ///< 1 GB
constexpr double run_seconds = 2e-4;                                 ///< a run is about as long as the read before it
constexpr double most_calls = 24;  ///< the host queues some 10 µs a call, while the device reads

/// One run of the calls behind a read. A write would leave the L2 full of what has to go to memory during the run.
double run(const kernels::CudaTimer& timer, const std::vector<KernelCase::Call>& calls) {
  static const tensor::Tensor spare = tensor::zeros({rows, cols}, tensor::DType::f32, Device::cuda);
  static const tensor::Tensor sums({cols}, tensor::DType::f32, Device::cuda);
  kernels::sum_rows(kernels::Cuda(), spare.data<float>(), cols, kernels::Grad<float>{sums.data<float>()}, rows, cols);
  timer.begin();
  for (const KernelCase::Call& call : calls) call();
  timer.end();
  const double seconds = timer.seconds();
  tensor::check_kernels(Device::cuda);
  return seconds / double(calls.size());
}

}  // namespace

std::optional<double> device_seconds(const std::function<KernelCase::Call()>& prepare, double seconds) {
  const kernels::CudaTimer timer;
  std::vector<KernelCase::Call> calls;
  const auto add = [&] {
    KernelCase::Call call = prepare();
    if (call) calls.push_back(std::move(call));
  };
  add();
  if (calls.empty()) return std::nullopt;
  run(timer, calls);
  const double once = run(timer, calls), wanted = std::clamp(std::ceil(run_seconds / once), 1.0, most_calls);
  while (double(calls.size()) < wanted) add();
  run(timer, calls);
  std::vector<double> found;
  for (double spent = 0; found.size() < 15 || spent < seconds;) {
    spent += seconds_of([&] { found.push_back(run(timer, calls)); });
  }
  return median(found);
}

}  // namespace tools::bench
#endif
