#include "nn/layers.h"

#include <cmath>

#include "tensor/graph.h"

namespace nn {

void Linear::parameters(const std::string& name, Parameters& into) const {
  into.push_back({join(name, "weight"), weight, inputs});
  into.push_back({join(name, "bias"), bias});
}

void LayerNorm::parameters(const std::string& name, Parameters& into) const {
  into.push_back({join(name, "weight"), weight});
  into.push_back({join(name, "bias"), bias});
}

void Embedding::parameters(const std::string& name, Parameters& into) const {
  into.push_back({join(name, "weight"), weight});
}

void FeedForward::parameters(const std::string& name, Parameters& into) const {
  up.parameters(join(name, "up"), into);
  down.parameters(join(name, "down"), into);
}

Variable sinusoidal_positions(const Tensor& positions, int64_t longest, int64_t width, DType type,
                              tensor::Device device) {
  Tensor table(Shape{longest, width}, DType::f64);
  for (int64_t i = 0; i < width; ++i) {
    const double length = std::pow(10000.0, double(i - i % 2) / double(width));
    double* const column = table.data<double>() + i;
    for (int64_t t = 0; t < longest; ++t) {
      column[t * width] = i % 2 == 0 ? std::sin(double(t) / length) : std::cos(double(t) / length);
    }
  }
  const Variable there(tensor::constant(table.to(tensor::accumulator_of(type)), device));
  return autograd::embedding(there, positions, 1, type);
}

}  // namespace nn
