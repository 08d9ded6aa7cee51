#pragma once
#include <functional>
#include <memory>
#include <vector>

#include "tensor/tensor.h"

namespace tensor {

/// Work of one form that a device is given again and again: queued piece by piece the first time, recorded the second,
/// and from then on started as a whole (a CUDA graph), which costs the host one call instead of thousands. On the CPU
/// it is just done.
class Graph {
 public:
  explicit Graph(Device device);
  ~Graph();
  Graph(const Graph&) = delete;
  Graph& operator=(const Graph&) = delete;

  /// Does `work`, which must be the same each time: the same ops, on tensors that stay where they are. What changes is
  /// written into those tensors before; within it nothing may be copied from or to the host (an error), but for what is
  /// constant(). Tensors that it makes are taken from memory that all graphs share: those that it hands out are the
  /// recorded ones, to be held as long as the graph, and their numbers last until any graph runs next. One thread at a
  /// time, and no other may use the device meanwhile.
  void run(const std::function<void()>& work);

 private:
  struct Recorded;
  Device device_;
  bool seen_ = false;
  std::unique_ptr<Recorded> recorded_;
};

/// x on a device, where x is the same whenever the work that asks for it is done again: a graph that is being recorded
/// keeps it, and is given its numbers before it starts.
Tensor constant(const Tensor& x, Device device);

/// While one lives, tensors come from the memory of all others again: for what outlives the work that needs it first.
class Lasting {
 public:
  Lasting();
  ~Lasting();
  Lasting(const Lasting&) = delete;
  Lasting& operator=(const Lasting&) = delete;

 private:
  bool before_;
};

/// Whether this thread records a graph; whether its tensors come from the memory of graphs.
bool recording_graph();
bool within_graph();

}  // namespace tensor
