#include "tools/bench_device.h"

#ifdef ACE_CUDA
#include <algorithm>
#include <cmath>

#include "kernels/timer.h"
#include "tensor/transfer.h"
#include "tools/bench_report.h"

namespace tools::bench {
namespace {

using tensor::Device;

constexpr int64_t flushed = int64_t(1) << 30;
constexpr double run_seconds = 2e-4;  ///< a run is about as long as the flush before it
constexpr double most_calls = 24;     ///< the host queues some 10 µs a call, while the device flushes

/// One run of the calls behind a flush.
double run(const kernels::CudaTimer& timer, const std::vector<KernelCase::Call>& calls, const tensor::Tensor& spare) {
  tensor::clear(spare.raw(), Device::cuda, spare.bytes());
  timer.begin();
  for (const KernelCase::Call& call : calls) call();
  timer.end();
  const double seconds = timer.seconds();
  tensor::check_kernels(Device::cuda);
  return seconds / double(calls.size());
}

}  // namespace

std::optional<double> device_seconds(const std::function<KernelCase::Call()>& prepare, double seconds) {
  static const tensor::Tensor spare({flushed}, tensor::DType::u8, Device::cuda);
  const kernels::CudaTimer timer;
  std::vector<KernelCase::Call> calls;
  const auto add = [&] {
    KernelCase::Call call = prepare();
    if (call) calls.push_back(std::move(call));
  };
  add();
  if (calls.empty()) return std::nullopt;
  run(timer, calls, spare);
  const double once = run(timer, calls, spare), wanted = std::clamp(std::ceil(run_seconds / once), 1.0, most_calls);
  while (double(calls.size()) < wanted) add();
  run(timer, calls, spare);
  std::vector<double> found;
  for (double spent = 0; found.size() < 15 || spent < seconds;) {
    spent += seconds_of([&] { found.push_back(run(timer, calls, spare)); });
  }
  return median(found);
}

}  // namespace tools::bench
#endif
