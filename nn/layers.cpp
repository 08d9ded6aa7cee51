#include "nn/layers.h"

#include <cmath>

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

Variable sinusoidal_positions(const Tensor& positions, int64_t width, DType type, tensor::Device device) {
  int32_t last = 0;
  for (const int32_t t : positions.values<int32_t>()) last = std::max(last, t);
  Tensor table(Shape{last + 1, width}, DType::f64);
  for (int64_t i = 0; i < width; ++i) {
    const double length = std::pow(10000.0, double(i - i % 2) / double(width));
    double* const column = table.data<double>() + i;
    for (int64_t t = 0; t <= last; ++t) {
      column[t * width] = i % 2 == 0 ? std::sin(double(t) / length) : std::cos(double(t) / length);
    }
  }
  return autograd::embedding(Variable(table.to(tensor::accumulator_of(type)).to(device)), positions, 1, type);
}

}  // namespace nn
