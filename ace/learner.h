#pragma once
#include <array>
#include <deque>
#include <map>
#include <memory>

#include "ace/objective.h"
#include "nn/optimizer.h"
#include "tensor/feed.h"
#include "tensor/graph.h"

namespace ace {

/// What a retriever learns from: batch by batch, on its device. On a GPU a batch travels while the step before is
/// computed, and a step (both passes, backward, optimiser) is one graph for each form of batch: how many pairs, how
/// many rows once padded. The host waits for nothing. The model is referred to; its parameters must stay where they
/// are.
class Learner {
 public:
  struct Options {
    double dropout = 0, omega = 0, clip = 0;
    uint64_t seed = 1;  ///< of dropout masks, with the number of the batch
    nn::Adam::Options adam;
  };
  Learner(const Retriever& model, const Options& options);

  /// Makes pairs ready and sends them to the device: at most two are on their way. identifiers i32 [B, J].
  void prepare(std::span<const std::vector<int32_t>> texts, const Tensor& identifiers, uint64_t number, double rate);
  /// One step on the pairs that were prepared first; their loss, one element where the model is, until the next step.
  Tensor step();
  /// For a step in parts: adds the gradients of the pairs that were prepared first, `share` times, without a graph;
  /// then finish() does the step.
  Tensor add(double share);
  void finish(double rate) { adam_.step(rate, options_.clip); }
  nn::Adam& adam() { return adam_; }

 private:
  /// All that a step is given.
  struct Given {
    Pairs pairs;
    Tensor key, rate;  ///< autograd::key_tensor; f64, one element
    std::array<Tensor, 7> parts() const;
  };
  /// Batches of one form: their numbers on the device, written again for each, and the step.
  struct Form {
    explicit Form(tensor::Device device) : graph(device) {}
    Given given;
    tensor::Bundle numbers;
    tensor::Graph graph;
    Tensor loss;
  };
  Form& receive();
  Tensor add_gradients(const Given& given, double share);

  const Retriever& model_;
  Options options_;
  nn::Adam adam_;
  std::deque<Given> prepared_;  ///< on the CPU
  tensor::Feed feed_;
  std::map<std::array<int64_t, 3>, std::unique_ptr<Form>> forms_;
};

}  // namespace ace
