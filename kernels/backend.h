#pragma once
#include <cstdint>

struct CUstream_st;  // what cudaStream_t points to

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

/// A CUDA device as the first argument of a kernel: a handle to the process's context on it, which owns the stream on
/// which all kernels run in the order of their calls, and working memory. A kernel returns when it is queued; every
/// pointer it is given is to the device's memory, but for those whose header says "host". Defined in `cuda.cu`, with
/// all kernels of this backend: a build without the toolkit has none of it, and nothing here needs its headers.
class Cuda {
 public:
  /// Why no kernel can run here, in one line ("no CUDA device: …", "no cublasLt: …"), or null where all can. Asked
  /// once.
  static const char* missing();
  /// What the first device is called, and its compute capability as 70, 80, 90.
  static const char* name();
  static int capability();
  /// Whether bf16 is multiplied: by the card, and by the code that it runs, which may have been made for older ones.
  static bool has_bf16();
  /// What went wrong first since the last call, in one line, or null. Errors of kernels that still run show later.
  static const char* error();

  CUstream_st* stream() const;
  /// The device's memory, at a multiple of 256 bytes; null when there is not enough.
  static void* allocate(int64_t bytes);
  /// The same, once more where there is not enough, after all that can be spared was given back (when_short).
  static void* allocate_sparing(int64_t bytes);
  static void free(void* block);
  /// Working memory for what is queued next; what it held is gone once a later kernel asks for it. There are two of
  /// them, 0 and 1. Null when there is not enough, which error() says too.
  void* scratch(int which, int64_t bytes) const;
  /// What to call when there is not enough, to free what can be spared.
  static void when_short(void (*spare)());
  /// Queued copies. `upload` has read the host's memory when it returns; `download` waits for all that was queued.
  void upload(void* device, const void* host, int64_t bytes) const;
  void download(void* host, const void* device, int64_t bytes) const;
  void copy(void* to, const void* from, int64_t bytes) const;
  void clear(void* to, int64_t bytes) const;
  /// Waits until all that was queued is done.
  void synchronize() const;
  /// Begins and ends a named range of the calling thread's time line (NVTX), for profilers; nothing without one.
  static void begin_range(const char* name);
  static void end_range();
};

}  // namespace kernels
