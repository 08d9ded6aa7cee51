#pragma once
#include <cstdint>
#include <memory>
#include <type_traits>

namespace kernels {

class Threads;

/// The CPU as the first argument of a kernel: a handle to the team of threads that share its loops.
class Cpu {
 public:
  /// The process's team; made at first use with as many threads as set_threads asked for (default: all the process
  /// has).
  Cpu();
  /// Splits 0 … n−1 into as many consecutive ranges as there are threads and calls body(begin, end) on each. The split
  /// depends on n, the cost and the number of threads alone, so results are the same bits run after run. `cost` is what
  /// one index costs, in elementary operations; ranges below some 10⁴ operations stay on the calling thread. A call
  /// from within another call, or while another thread uses the team, runs the same ranges one after the other.
  template <class Body>
  void parallel(int64_t n, int64_t cost, const Body& body) const {
    run(
        n, cost, [](const void* b, int64_t begin, int64_t end) { (*static_cast<const Body*>(b))(begin, end); }, &body);
  }
  int threads() const;
  /// Working memory of the calling thread, kept for its later calls: at least `bytes`, at a multiple of 64; what it
  /// held is gone. A thread has two of them, 0 and 1.
  static void* scratch(int which, int64_t bytes);

 private:
  void run(int64_t n, int64_t cost, void (*call)(const void*, int64_t, int64_t), const void* body) const;
  Threads* threads_;
};

/// Number of threads of the team, from 1 to 256; to be called while no kernel runs. 0: as many as the process may use.
void set_threads(int threads);

}  // namespace kernels
