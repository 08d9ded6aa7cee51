#include "kernels/feed.h"

#include <algorithm>

#include "kernels/launch.h"

namespace kernels {

CudaFeed::CudaFeed() {
  note(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "feed");
  for (Place& place : places_) {
    for (CUevent_st** const event : {&place.arrived, &place.received}) {
      note(cudaEventCreateWithFlags(event, cudaEventDisableTiming), "feed");
    }
  }
}

CudaFeed::~CudaFeed() {
  Cuda().synchronize();
  note(cudaStreamSynchronize(stream_), "feed");
  for (const Place& place : places_) {
    for (CUevent_st* const event : {place.arrived, place.received}) cudaEventDestroy(event);
    cudaFreeHost(place.host);
    Cuda::free(place.device);
  }
  cudaStreamDestroy(stream_);
}

void CudaFeed::grow(Place& place, int64_t bytes) {
  note(cudaEventSynchronize(place.received), "feed");
  cudaFreeHost(place.host);
  Cuda::free(place.device);
  place.room = std::max(2 * place.room, bytes);
  place.device = Cuda::allocate(place.room);
  note(cudaMallocHost(&place.host, size_t(place.room)), "pinned memory");
  if (place.device == nullptr || place.host == nullptr) place.room = 0;
}

void* CudaFeed::fill(int64_t bytes) {
  Place& place = places_[next_];
  note(cudaEventSynchronize(place.arrived), "feed");
  if (place.room < bytes) grow(place, bytes);
  place.bytes = bytes;
  return place.room < bytes ? nullptr : place.host;
}

void CudaFeed::send() {
  Place& place = places_[next_];
  next_ = 1 - next_;
  note(cudaStreamWaitEvent(stream_, place.received, 0), "feed");  // the device has read what came there before
  note(cudaMemcpyAsync(place.device, place.host, size_t(place.bytes), cudaMemcpyHostToDevice, stream_), "feed");
  note(cudaEventRecord(place.arrived, stream_), "feed");
}

void CudaFeed::receive(void* to) {
  Place& place = places_[first_];
  first_ = 1 - first_;
  const Cuda cuda;
  note(cudaStreamWaitEvent(cuda.stream(), place.arrived, 0), "feed");
  cuda.copy(to, place.device, place.bytes);
  note(cudaEventRecord(place.received, cuda.stream()), "feed");
}

}  // namespace kernels
