#pragma once
#include <cstdint>
#include <mutex>

namespace kernels {

/// Memory of the device that grows. What it had before is not freed, since a recorded graph may use it: in all no more
/// than what replaced it.
class WorkingMemory {
 public:
  /// At least so many bytes, more than none. Null, and an error is noted, when the device has no room even after all
  /// that can be spared was given back (Cuda::when_short): then nothing may be launched that needs it.
  void* take(int64_t bytes);

 private:
  std::mutex mutex_;
  void* memory_ = nullptr;
  int64_t bytes_ = 0;
};

}  // namespace kernels
