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
  const int64_t room = std::max(2 * place.room, bytes);
  place.host = nullptr, place.room = 0;
  place.device = Cuda::allocate_sparing(room);
  if (place.device == nullptr) return note(cudaErrorMemoryAllocation, "feed");
  const cudaError_t error = cudaMallocHost(&place.host, size_t(room));
  if (error != cudaSuccess) return note(error, "pinned memory");
  place.room = room;
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
