#pragma once
struct CUgraphExec_st;  // what cudaGraphExec_t points to

namespace kernels {

/// What was queued on the stream of all kernels (backend.h, Cuda) between begin() and end(): launches, copies within
/// the device and clears, with their addresses and sizes, started together as often as wanted (a CUDA graph). What they
/// read and write must stay where it was. Needs a device.
class CudaGraph {
 public:
  CudaGraph() = default;
  ~CudaGraph();
  CudaGraph(const CudaGraph&) = delete;
  CudaGraph& operator=(const CudaGraph&) = delete;

  /// From now on what is queued is recorded and not done. Until end() the host may not wait for the stream nor copy
  /// from or to it, and no thread may queue anything else; that spoils the recording, and Cuda::error() says so.
  void begin();
  void end();
  /// Queues all of it; nothing where the recording was spoilt.
  void launch() const;

 private:
  CUgraphExec_st* executable_ = nullptr;
};

}  // namespace kernels
