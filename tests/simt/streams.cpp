#include <chrono>
#include <memory>
#include <vector>

#include "tests/simt/host_api.h"

/// Streams, events and graphs. What a stream is given is done at once, but for copies from pinned memory: they are done
/// as late as a card might do them, so that a missing wait shows. What a stream is given while it is being captured is
/// recorded, and what a card refuses meanwhile is refused.
using Work = std::vector<std::function<void()>>;
struct CUstream_st {};
struct CUevent_st {
  std::chrono::steady_clock::time_point when;
  bool recorded = false;
  const void* capture = nullptr;  ///< in which it was recorded last
  cudaStream_t stream = nullptr;  ///< on which, and before which late work
  uint64_t before = 0;
};
struct CUgraph_st {
  Work work;
};
struct CUgraphExec_st {
  Work work;
};

namespace {

/// At most one at a time.
struct Capture {
  cudaStream_t stream;
  cudaStreamCaptureMode mode;
  bool spoilt = false;
  Work work;
};
std::unique_ptr<Capture> capture;

struct Late {
  cudaStream_t stream;
  uint64_t number;
  std::function<void()> work;
};
std::vector<Late> late;
uint64_t late_count = 0;

/// Does what is late on a stream, or on all, up to a number.
void do_late(cudaStream_t stream, bool all = false, uint64_t before = UINT64_MAX) {
  std::erase_if(late, [&](const Late& l) {
    const bool due = (all || l.stream == stream) && l.number < before;
    if (due) l.work();
    return due;
  });
}

bool captures(cudaStream_t stream) { return capture != nullptr && capture->stream == stream; }

cudaError_t refused(cudaError_t error) {
  simt::set_last_error(error);
  return error;
}
cudaError_t spoil(cudaError_t error) {
  capture->spoilt = true;
  return refused(error);
}

}  // namespace

namespace simt {

cudaError_t queue(cudaStream_t stream, std::function<void()> work) {
  if (!captures(stream)) return do_late(stream), work(), cudaSuccess;
  if (capture->spoilt) return refused(cudaErrorStreamCaptureInvalidated);
  capture->work.push_back(std::move(work));
  return cudaSuccess;
}

cudaError_t queue_late(cudaStream_t stream, std::function<void()> work) {
  late.push_back({stream, late_count++, std::move(work)});
  return cudaSuccess;
}
void catch_up() { do_late(nullptr, true); }

cudaError_t forbidden(Call call) {
  const bool free = capture == nullptr || (call == Call::at_once && capture->mode == cudaStreamCaptureModeRelaxed);
  return free ? cudaSuccess : spoil(cudaErrorStreamCaptureUnsupported);
}
cudaError_t forbidden_on(cudaStream_t stream) {
  return captures(stream) ? spoil(cudaErrorStreamCaptureUnsupported) : cudaSuccess;
}

}  // namespace simt

cudaError_t cudaStreamCreate(cudaStream_t* stream) { return *stream = new CUstream_st, cudaSuccess; }
cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned) { return cudaStreamCreate(stream); }
cudaError_t cudaStreamDestroy(cudaStream_t stream) { return do_late(stream), delete stream, cudaSuccess; }
cudaError_t cudaStreamSynchronize(cudaStream_t stream) { return do_late(stream), simt::forbidden_on(stream); }
cudaError_t cudaStreamQuery(cudaStream_t stream) { return cudaStreamSynchronize(stream); }
cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned) {
  if (!event->recorded) return cudaSuccess;
  do_late(event->stream, false, event->before);
  if (captures(stream)) return event->capture == capture.get() ? cudaSuccess : spoil(cudaErrorStreamCaptureIsolation);
  // On a card the waiting stream would join the capture; nothing here wants that.
  return event->capture != nullptr ? refused(cudaErrorStreamCaptureUnsupported) : cudaSuccess;
}

cudaError_t cudaEventCreate(cudaEvent_t* event) { return *event = new CUevent_st, cudaSuccess; }
cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned) { return cudaEventCreate(event); }
cudaError_t cudaEventDestroy(cudaEvent_t event) { return delete event, cudaSuccess; }
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  *event = {std::chrono::steady_clock::now(), true, captures(stream) ? capture.get() : nullptr, stream, late_count};
  return cudaSuccess;
}
cudaError_t cudaEventSynchronize(cudaEvent_t event) {
  do_late(event->stream, false, event->before);
  return event->capture != nullptr ? refused(cudaErrorCapturedEvent) : cudaSuccess;
}
cudaError_t cudaEventQuery(cudaEvent_t event) { return cudaEventSynchronize(event); }
cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t start, cudaEvent_t end) {
  if (start->capture != nullptr || end->capture != nullptr) return refused(cudaErrorCapturedEvent);
  *milliseconds = std::chrono::duration<float, std::milli>(end->when - start->when).count();
  return cudaSuccess;
}

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode mode) {
  if (stream == nullptr) return refused(cudaErrorStreamCaptureUnsupported);
  if (capture != nullptr) return refused(cudaErrorIllegalState);
  capture.reset(new Capture{stream, mode, false, {}});
  return cudaSuccess;
}
cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph) {
  *graph = nullptr;
  if (!captures(stream)) return refused(cudaErrorIllegalState);
  const std::unique_ptr<Capture> done = std::move(capture);
  if (done->spoilt) return refused(cudaErrorStreamCaptureInvalidated);
  *graph = new CUgraph_st{std::move(done->work)};
  return cudaSuccess;
}
cudaError_t cudaGraphDestroy(cudaGraph_t graph) { return delete graph, cudaSuccess; }
cudaError_t cudaGraphInstantiate(cudaGraphExec_t* executable, cudaGraph_t graph, unsigned long long) {
  if (graph == nullptr) return refused(cudaErrorInvalidValue);
  *executable = new CUgraphExec_st{graph->work};
  return cudaSuccess;
}
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t executable) { return delete executable, cudaSuccess; }
cudaError_t cudaGraphLaunch(cudaGraphExec_t executable, cudaStream_t stream) {
  if (executable == nullptr) return refused(cudaErrorInvalidValue);
  if (const cudaError_t error = simt::forbidden_on(stream); error != cudaSuccess) return error;
  for (const auto& work : executable->work) work();
  return cudaPeekAtLastError();
}
