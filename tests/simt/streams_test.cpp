#include <gtest/gtest.h>

#include "tests/simt/on_device.h"

/// What a capture records, and what it does not bear.
namespace simt {
namespace {

struct Stream {
  Stream() { EXPECT_EQ(cudaStreamCreate(&stream), cudaSuccess); }
  ~Stream() { cudaStreamDestroy(stream); }
  operator cudaStream_t() const { return stream; }
  cudaStream_t stream = nullptr;
};

constexpr size_t bytes = 4 * sizeof(int);

TEST(Streams, ACaptureRecordsAndAGraphDoesItAgainAndAgain) {
  const Stream stream;
  const OnDevice<int> x(std::vector<int>{1, 2, 3, 4}), y(std::vector<int>(4));
  cudaGraph_t graph = nullptr;
  cudaGraphExec_t executable = nullptr;
  ASSERT_EQ(cudaStreamBeginCapture(stream, cudaStreamCaptureModeRelaxed), cudaSuccess);
  EXPECT_EQ(cudaMemcpyAsync(y, x, bytes, cudaMemcpyDeviceToDevice, stream), cudaSuccess);
  EXPECT_EQ(cudaMemsetAsync(y + 3, 0, sizeof(int), stream), cudaSuccess);
  ASSERT_EQ(cudaStreamEndCapture(stream, &graph), cudaSuccess);
  EXPECT_EQ(y.values(), std::vector<int>(4)) << "nothing was done";
  ASSERT_EQ(cudaGraphInstantiate(&executable, graph), cudaSuccess);
  EXPECT_EQ(cudaGraphDestroy(graph), cudaSuccess);
  for (const int first : {1, 7}) {
    cudaMemcpy(x, &first, sizeof first, cudaMemcpyHostToDevice);
    EXPECT_EQ(cudaGraphLaunch(executable, stream), cudaSuccess);
    EXPECT_EQ(y.values(), (std::vector<int>{first, 2, 3, 0}));
  }
  EXPECT_EQ(cudaGraphExecDestroy(executable), cudaSuccess);
}

TEST(Streams, ACopyFromPinnedMemoryIsDoneWhenSomebodyWaitsForIt) {
  const Stream stream, other;
  const OnDevice<int> x(std::vector<int>(1)), y(std::vector<int>(1));
  int* host = nullptr;
  cudaEvent_t before = nullptr, after = nullptr;
  cudaEventCreate(&before);
  cudaEventCreate(&after);
  ASSERT_EQ(cudaMallocHost(&host, sizeof *host), cudaSuccess);
  const auto send = [&](int value) {
    *host = value;
    cudaEventRecord(before, stream);
    EXPECT_EQ(cudaMemcpyAsync(x, host, sizeof *host, cudaMemcpyHostToDevice, stream), cudaSuccess);
    cudaEventRecord(after, stream);
  };
  const auto seen = [&] {
    cudaMemcpyAsync(y, x, sizeof *host, cudaMemcpyDeviceToDevice, other);
    return y.values()[0];
  };
  send(1);
  EXPECT_EQ(seen(), 0);
  cudaStreamWaitEvent(other, before);
  EXPECT_EQ(seen(), 0);
  cudaStreamWaitEvent(other, after);
  EXPECT_EQ(seen(), 1);
  send(2);
  *host = 3;  // too early
  cudaEventSynchronize(after);
  EXPECT_EQ(seen(), 3);
  send(4);
  cudaMemsetAsync(y, 0, sizeof *host, stream);  // in the order of its stream
  EXPECT_EQ(seen(), 4);
  send(5);
  cudaStreamSynchronize(stream);
  EXPECT_EQ(seen(), 5);
  cudaFreeHost(host);
  cudaEventDestroy(before);
  cudaEventDestroy(after);
}

/// What `call` returns within a capture; it must spoil that, unless it is allowed.
template <class F>
cudaError_t within(cudaStream_t stream, cudaStreamCaptureMode mode, const F& call) {
  cudaGraph_t graph = nullptr;
  EXPECT_EQ(cudaStreamBeginCapture(stream, mode), cudaSuccess);
  const cudaError_t error = call();
  EXPECT_EQ(cudaStreamEndCapture(stream, &graph) == cudaSuccess, error == cudaSuccess);
  cudaGraphDestroy(graph);
  cudaGetLastError();
  return error;
}

TEST(Streams, WhatACaptureDoesNotBearSpoilsIt) {
  const Stream stream, other;
  const OnDevice<int> x(std::vector<int>(4));
  int host[4] = {};
  void* block = nullptr;
  cudaEvent_t event = nullptr;
  cudaEventCreate(&event);
  cudaEventRecord(event, other);
  constexpr auto unsupported = cudaErrorStreamCaptureUnsupported;
  for (const auto mode : {cudaStreamCaptureModeGlobal, cudaStreamCaptureModeRelaxed}) {
    const bool relaxed = mode == cudaStreamCaptureModeRelaxed;
    EXPECT_EQ(within(stream, mode, [&] { return cudaStreamSynchronize(stream); }), unsupported);
    EXPECT_EQ(within(stream, mode, [&] { return cudaDeviceSynchronize(); }), unsupported);
    EXPECT_EQ(within(stream, mode, [&] { return cudaMemcpyAsync(x, host, bytes, cudaMemcpyHostToDevice, stream); }),
              unsupported);
    EXPECT_EQ(within(stream, mode, [&] { return cudaMemcpyAsync(host, x, bytes, cudaMemcpyDeviceToHost, stream); }),
              unsupported);
    EXPECT_EQ(within(stream, mode, [&] { return cudaStreamWaitEvent(stream, event); }),
              cudaErrorStreamCaptureIsolation);
    EXPECT_EQ(within(stream, mode, [&] { return cudaFree(x); }), unsupported);
    EXPECT_EQ(within(stream, mode, [&] { return cudaMalloc(&block, 64); }), relaxed ? cudaSuccess : unsupported);
    EXPECT_EQ(within(stream, mode, [&] { return cudaMemcpyAsync(x, host, bytes, cudaMemcpyHostToDevice, other); }),
              cudaSuccess);
    cudaFree(block);
    block = nullptr;
  }
  cudaStreamBeginCapture(stream, cudaStreamCaptureModeRelaxed);
  EXPECT_EQ(cudaStreamBeginCapture(other, cudaStreamCaptureModeRelaxed), cudaErrorIllegalState);
  cudaEventRecord(event, stream);
  EXPECT_EQ(cudaStreamWaitEvent(stream, event), cudaSuccess);
  EXPECT_EQ(cudaEventSynchronize(event), cudaErrorCapturedEvent);
  cudaGraph_t graph = nullptr;
  EXPECT_EQ(cudaStreamEndCapture(stream, &graph), cudaSuccess);
  cudaGraphDestroy(graph);
  cudaEventDestroy(event);
  cudaGetLastError();
}

}  // namespace
}  // namespace simt
