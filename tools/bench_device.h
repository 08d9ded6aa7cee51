#pragma once
#include <optional>

#include "tools/bench_kernels.h"

namespace tools::bench {

/// Seconds of one call on the GPU, by its own clock: the median of runs of several calls that follow one another, each
/// with operands of its own, behind a read of 1 GB that leaves nothing of them in the L2, nor what is still to be
/// written, and gives the host time to queue the run, so that starting kernels does not count. Runs go on for
/// `seconds`, and there are 15 at least. Nothing where prepare gives no call. Fails when a kernel does. Defined where
/// there is CUDA.
std::optional<double> device_seconds(const std::function<KernelCase::Call()>& prepare, double seconds);

}  // namespace tools::bench
