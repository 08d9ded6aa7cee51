#pragma once
#include <limits>
#include <string>
#include <vector>

#include "autograd/functions.h"
#include "tensor/random.h"
#include "tensor/safetensors.h"

namespace nn {

using autograd::Variable;
using kernels::Precision;
using tensor::DType;
using tensor::Shape;
using tensor::Tensor;

/// A parameter and its full name, which is its tensor's name in a checkpoint.
struct Parameter {
  std::string name;
  Variable variable;
  int64_t inputs = 0;  ///< of a linear layer's weight: how many inputs stand side by side; else 0
};
using Parameters = std::vector<Parameter>;

/// A module is a struct of Variables and other modules, with
///   - a constructor that takes its sizes and an Initializer,
///   - forward(...) const, or operator() where there is but one way to use it: const, and usable from several threads,
///   - parameters(name, into) const, which lists what it owns as `name.part`.
/// This lists all parameters of one that has no name of its own.
template <class Module>
Parameters parameters(const Module& module) {
  Parameters result;
  module.parameters("", result);
  return result;
}
/// "encoder" + "layers" → "encoder.layers"; nothing + "layers" → "layers"
std::string join(const std::string& name, std::string_view part);

/// Makes parameters: draws from one generator in the order of construction.
class Initializer {
 public:
  explicit Initializer(uint64_t seed, DType type = DType::f32, Precision precision = Precision::full)
      : random_(seed, stream), type_(type), precision_(precision) {}
  /// Draws nothing and leaves matrices at zero: for a module whose weights are loaded next.
  static Initializer blank(DType type = DType::f32);
  /// U(−a, a), a = √(6 / (in + out)) for [out, in] (Glorot and Bengio 2010, equation 16).
  Variable xavier_uniform(int64_t out, int64_t in);
  Variable constant(Shape shape, double value);
  /// What products round their factors to while it trains; on a GPU activations have these numbers too.
  Precision precision() const { return precision_; }

 private:
  static constexpr uint64_t stream = 0x1417;
  tensor::Random random_;
  DType type_;
  Precision precision_;
  bool blank_ = false;
};

int64_t count(const Parameters& parameters);
/// A file's tensor of that name and shape as a type, f32 or f64. Fails, naming it, when it is missing, of another
/// shape, or holds a value that is not finite or below `least`.
Tensor stored_values(const tensor::Safetensors& file, const std::string& name, const Shape& shape, DType type,
                     double least = std::numeric_limits<double>::lowest());
/// Copies a file's tensors (stored_values), each by its name, to the parameter's dtype and device. Fails, naming the
/// tensor, also when the file holds one that the module does not have.
void load(const Parameters& parameters, const tensor::Safetensors& file);
/// The values by name, on the CPU.
std::map<std::string, Tensor> to_tensors(const Parameters& parameters);
/// Brings the values to a device: what a module computes there from now on. Gradients and moments start anew.
void move(const Parameters& parameters, tensor::Device device);
/// For inference: parameters become constants, and linear layers read their weights in a packed form of this precision;
/// on a GPU activations have its numbers too.
void freeze(const Parameters& parameters, Precision precision);

}  // namespace nn
