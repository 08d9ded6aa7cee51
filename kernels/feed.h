#pragma once
#include <cstdint>

struct CUstream_st;  // what cudaStream_t points to
struct CUevent_st;   // what cudaEvent_t points to

namespace kernels {

/// Numbers on their way to the device while it computes: copied from memory that the card reads by itself ("pinned"),
/// on a stream of its own. There are two places, taken in turn, so that the host fills one while the other travels.
/// Needs a device.
class CudaFeed {
 public:
  CudaFeed();
  ~CudaFeed();
  CudaFeed(const CudaFeed&) = delete;
  CudaFeed& operator=(const CudaFeed&) = delete;

  /// Where the host is to write the next `bytes`; waits until what it sent from there has arrived. Null when there is
  /// no memory, and an error is noted.
  void* fill(int64_t bytes);
  /// Sends what was filled.
  void send();
  /// What was sent first and not received yet, in `to` before what is queued next. At most two are on their way.
  void receive(void* to);

 private:
  struct Place {
    void *host = nullptr, *device = nullptr;
    int64_t room = 0, bytes = 0;
    CUevent_st *arrived = nullptr, *received = nullptr;
  };
  void grow(Place& place, int64_t bytes);
  CUstream_st* stream_ = nullptr;
  Place places_[2];
  int next_ = 0, first_ = 0;  ///< to be filled, to be received
};

}  // namespace kernels
