#include "kernels/timer.h"

#include "kernels/launch.h"

namespace kernels {

CudaTimer::CudaTimer() {
  if (Cuda::missing() != nullptr) return;
  for (CUevent_st** const mark : {&begin_, &end_}) note(cudaEventCreate(mark), "timer");
}
CudaTimer::~CudaTimer() {
  for (CUevent_st* const mark : {begin_, end_}) {
    if (mark != nullptr) cudaEventDestroy(mark);
  }
}

void CudaTimer::begin() const {
  if (begin_ != nullptr) note(cudaEventRecord(begin_, Cuda().stream()), "timer");
}
void CudaTimer::end() const {
  if (end_ != nullptr) note(cudaEventRecord(end_, Cuda().stream()), "timer");
}

double CudaTimer::seconds() const {
  float milliseconds = 0;
  if (begin_ == nullptr || end_ == nullptr) return 0;
  note(cudaEventSynchronize(end_), "timer");
  note(cudaEventElapsedTime(&milliseconds, begin_, end_), "timer");
  return 1e-3 * double(milliseconds);
}

}  // namespace kernels
