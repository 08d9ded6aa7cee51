#pragma once
struct CUevent_st;  // what cudaEvent_t points to

namespace kernels {

/// The time between two marks on the stream of all kernels (backend.h, Cuda), by the device's own clock. A mark is
/// queued like a kernel, so the host may run ahead; seconds() waits for the second one. Without a device it is always
/// 0.
class CudaTimer {
 public:
  CudaTimer();
  ~CudaTimer();
  CudaTimer(const CudaTimer&) = delete;
  CudaTimer& operator=(const CudaTimer&) = delete;

  void begin() const;
  void end() const;
  /// Between the last begin() and the last end(), both of which have been called.
  double seconds() const;

 private:
  CUevent_st *begin_ = nullptr, *end_ = nullptr;
};

}  // namespace kernels
