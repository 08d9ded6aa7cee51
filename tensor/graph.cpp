#include "tensor/graph.h"

#include "tensor/allocator.h"
#include "tensor/transfer.h"

#ifdef ACE_CUDA
#include "kernels/backend.h"
#include "kernels/graph.h"
#endif

namespace tensor {
namespace {

/// A constant of a graph, on the host and on the device.
struct Constant {
  Tensor here, there;
};
thread_local std::vector<Constant>* recording = nullptr;  ///< the constants of the graph that is being recorded
thread_local bool within = false;

}  // namespace

Lasting::Lasting() : before_(within) { within = false; }
Lasting::~Lasting() { within = before_; }

bool recording_graph() { return recording != nullptr; }
bool within_graph() { return within; }

Tensor constant(const Tensor& x, Device device) {
  if (!recording_graph() || device == Device::cpu) return x.to(device);
  const Lasting outlives;
  const Tensor there(x.shape(), x.dtype(), device);
  recording->push_back({x, there});
  return there;
}

#ifdef ACE_CUDA
namespace {
/// While one lives, tensors come from the graphs' memory.
struct Within {
  Within() { within = true; }
  ~Within() { within = false; }
};
}  // namespace

struct Graph::Recorded {
  kernels::CudaGraph graph;
  std::vector<Constant> constants;

  explicit Recorded(const std::function<void()>& work) {
    synchronize(Device::cuda);  // so that an error that shows now is not the recording's
    recording = &constants;
    graph.begin();
    const auto end = [&] {
      recording = nullptr;
      graph.end();
    };
    try {
      work();
    } catch (...) {
      end();
      kernels::Cuda::error();  // what spoilt the recording was said by the exception
      throw;
    }
    end();
    check_kernels(Device::cuda);
    for (Constant& c : constants) {
      copy(c.there, c.here);
      c.here = Tensor();
    }
  }
};

Graph::Graph(Device device) : device_(device) {
  if (device == Device::cuda) graph_allocator().keep(1);
}
Graph::~Graph() {
  if (device_ == Device::cpu) return;
  recorded_.reset();
  graph_allocator().keep(-1);
  graph_allocator().release_cached();  // with the last graph
}

void Graph::run(const std::function<void()>& work) {
  if (device_ == Device::cpu) return work();
  if (!seen_) {
    const Within memory;
    work();
    seen_ = true;
    return;
  }
  if (!recorded_) {
    const Within memory;
    recorded_ = std::make_unique<Recorded>(work);
  }
  recorded_->graph.launch();
  check_kernels(device_);
}
#else
struct Graph::Recorded {};
Graph::Graph(Device device) : device_(device) {}
Graph::~Graph() = default;
void Graph::run(const std::function<void()>& work) { work(); }
#endif

}  // namespace tensor
