#include "kernels/graph.h"

#include "kernels/launch.h"

namespace kernels {

CudaGraph::~CudaGraph() {
  if (executable_ == nullptr) return;
  Cuda().synchronize();  // it may still run
  note(cudaGraphExecDestroy(executable_), "graph");
}

// Relaxed: memory may be asked for meanwhile, and cublasLt may load a kernel.
void CudaGraph::begin() { note(cudaStreamBeginCapture(Cuda().stream(), cudaStreamCaptureModeRelaxed), "recording"); }

void CudaGraph::end() {
  cudaGraph_t graph = nullptr;
  note(cudaStreamEndCapture(Cuda().stream(), &graph), "recording");
  if (graph == nullptr) return;
  note(cudaGraphInstantiate(&executable_, graph, 0), "graph");
  note(cudaGraphDestroy(graph), "graph");
}

void CudaGraph::launch() const {
  if (executable_ != nullptr) note(cudaGraphLaunch(executable_, Cuda().stream()), "graph");
}

}  // namespace kernels
