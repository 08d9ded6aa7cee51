#pragma once
#include <atomic>

namespace ace {

/// 0, or the signal (SIGINT, SIGTERM) that asked the program to stop. Set by its handlers; a long stage looks at it
/// between steps, writes its checkpoint and returns.
inline std::atomic<int>& stop_signal() {
  static std::atomic<int> signal = 0;
  return signal;
}

}  // namespace ace
