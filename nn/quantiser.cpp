#include "nn/quantiser.h"

#include <cmath>

#include "kernels/nearest.h"

namespace nn {

using autograd::add;
using autograd::detach;
using autograd::mean;
using autograd::scale;
using autograd::squared_error;
using autograd::sub;

Tensor nearest(const Tensor& x, const Tensor& codes) {
  tensor::check(x.cols() == codes.cols() && x.dtype() == codes.dtype() && codes.rows() > 0,
                "nearest: x {} {}, codes {} {}", tensor::name_of(x.dtype()), x.shape(), tensor::name_of(codes.dtype()),
                codes.shape());
  const Tensor index(Shape{x.rows()}, DType::i32, x.device()), distance(index.shape(), x.dtype(), x.device());
  tensor::dispatch(tensor::floating, x, [&](auto backend, auto type) {
    using T = decltype(type);
    const Tensor scratch(Shape{kernels::nearest_scratch(backend, x.rows(), codes.rows())}, x.dtype(), x.device());
    kernels::nearest<T>(backend, x.data<T>(), codes.data<T>(), index.data<int32_t>(), distance.data<T>(), x.rows(),
                        codes.rows(), x.cols(), scratch.data<T>());
    if (x.device() != tensor::Device::cpu) return;
    for (const T found : distance.values<T>()) {
      tensor::check(!std::isnan(found), "nearest: a row of x [{}, {}] is not finite", x.rows(), x.cols());
    }
  });
  return index;
}

ResidualQuantiser::ResidualQuantiser(int64_t count, int64_t entries, int64_t latent, Initializer& init) {
  for (int64_t m = 0; m < count; ++m) codebooks.push_back(init.xavier_uniform(entries, latent));
}

Quantised ResidualQuantiser::forward(const Variable& z, double beta) const {
  Quantised result;
  Variable residual = z;
  for (size_t m = 0; m < codebooks.size(); ++m) {
    const Tensor index = nearest(residual.value(), codebooks[m].value());
    const Variable entry = autograd::embedding(codebooks[m], index);
    const Variable loss =
        add(mean(squared_error(detach(residual), entry)), scale(mean(squared_error(residual, detach(entry))), beta));
    result.residuals.push_back(residual.value());
    result.codes.push_back(index);
    result.commitment = m == 0 ? loss : add(result.commitment, loss);
    result.sum = m == 0 ? entry : add(result.sum, entry);
    residual = sub(residual, detach(entry));
  }
  result.straight_through = add(z, detach(sub(result.sum, z)));
  return result;
}

void ResidualQuantiser::parameters(const std::string& name, Parameters& into) const {
  for (size_t m = 0; m < codebooks.size(); ++m)
    into.push_back({join(name, fmt::format("codebooks.{}", m)), codebooks[m]});
}

}  // namespace nn
