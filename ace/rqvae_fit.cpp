#include <algorithm>

#include "ace/kmeans.h"
#include "ace/redraw.h"
#include "ace/rqvae.h"
#include "ace/stop.h"
#include "nn/optimizer.h"
#include "nn/schedule.h"
#include "tensor/random.h"

namespace ace {

using nn::Variable;
using tensor::DType;
using tensor::Shape;
using tensor::Tensor;

namespace {

enum Stream : uint64_t { batches = 1, initial = 2 };

/// Rows of x in an order that is drawn anew each time all have been given out.
class Batches {
 public:
  Batches(const Tensor& x, int64_t size, uint64_t seed)
      : x_(x), size_(std::min(size, x.rows())), random_(seed, Stream::batches) {}
  Variable next() {
    if (x_.defined() && size_ == x_.rows()) return Variable(x_);
    if (order_.empty() || at_ + size_ > int64_t(order_.size())) {
      order_ = random_.permutation(x_.rows());
      at_ = 0;
    }
    Tensor ids(Shape{size_}, DType::i32);
    for (int64_t i = 0; i < size_; ++i) ids.data<int32_t>()[i] = int32_t(order_[size_t(at_ + i)]);
    at_ += size_;
    return autograd::embedding(Variable(x_), ids);
  }

 private:
  Tensor x_;
  int64_t size_;
  tensor::Random random_;
  std::vector<int64_t> order_;
  int64_t at_ = 0;
};

/// At least 8,192 rows (or all), evenly spread: enough that k-means leaves no entry dead from the start.
Tensor sample(const Tensor& x, int64_t entries) {
  const int64_t wanted = std::min(x.rows(), std::max<int64_t>(8192, 64 * entries));
  Tensor ids(Shape{wanted}, DType::i32);
  for (int64_t i = 0; i < wanted; ++i) ids.data<int32_t>()[i] = int32_t(i * x.rows() / wanted);
  return autograd::embedding(Variable(x), ids).value();
}

/// Sets each codebook to k-means centres of the residuals that reach it, with hard codes, one after the other.
void initialise_codebooks(const RqVae& model, const Tensor& x, uint64_t seed) {
  const autograd::NoGrad none;
  const auto& codebooks = model.quantiser().codebooks;
  Variable residual = model.encode(Variable(sample(x, codebooks.front().size(0))));
  for (size_t m = 0; m < codebooks.size(); ++m) {
    const int64_t entries = std::min(codebooks[m].size(0), residual.rows());
    const KMeans fit = fit_lloyd(residual.value(), entries, 10, seed + m);
    const Tensor table = codebooks[m].value().clone();
    std::copy_n(fit.centroids.data<float>(), fit.centroids.elements(), table.data<float>());
    codebooks[m].set_value(table);
    residual = autograd::sub(residual, autograd::embedding(codebooks[m], nn::nearest(residual.value(), table)));
  }
}

/// Codes and mean squared reconstruction error of all rows, with the weights as they stand.
void encode_all(RqVaeFit& fit, const Tensor& x, const Settings::RqVae& settings) {
  const autograd::NoGrad none;
  fit.codes = Tensor(Shape{x.rows(), settings.codebooks}, DType::i32);
  constexpr int64_t block = 8192;
  double error = 0, energy = 0;
  for (int64_t begin = 0; begin < x.rows(); begin += block) {
    const Tensor rows = x.range(begin, std::min(begin + block, x.rows()));
    const RqVae::Output out = fit.model.forward(Variable(rows), settings.alpha, settings.beta);
    std::copy_n(out.quantised.codes.data<int32_t>(), out.quantised.codes.elements(),
                fit.codes.data<int32_t>() + begin * settings.codebooks);
    error += out.recon.value().item() * double(rows.rows());
    const Variable nothing(tensor::zeros_like(rows));
    energy += mean(squared_error(Variable(rows), nothing)).value().item() * double(rows.rows());
  }
  fit.reconstruction = error / double(x.rows());
  fit.variance = energy / double(x.rows());
}

}  // namespace

RqVaeFit fit_rqvae(const Tensor& x, const Settings::RqVae& settings, uint64_t seed, const Progress& progress) {
  tensor::check(x.rows() > 0, "rqvae: no rows to train on");
  std::vector<int64_t> sizes{x.cols()};
  sizes.insert(sizes.end(), settings.hidden.begin(), settings.hidden.end());
  sizes.push_back(settings.latent);
  nn::Initializer init(seed, DType::f32, precision_of(settings.precision));
  RqVaeFit fit{RqVae(sizes, settings.codebooks, settings.entries, init), {}, 0, 0, 0, 0};
  if (settings.kmeans_init) initialise_codebooks(fit.model, x, seed + Stream::initial);

  const int64_t per_epoch = (x.rows() + settings.batch - 1) / settings.batch;
  fit.steps = std::max(settings.epochs * per_epoch, settings.min_steps);
  const double warmup =
      double(fit.steps) * double(settings.warmup_epochs) / double(std::max<int64_t>(settings.epochs, 1));
  nn::Adam adam(nn::parameters(fit.model));
  Batches data(x, settings.batch, seed);
  Redraw redraw(fit.model.quantiser(), settings.redraw_steps);
  for (int64_t step = 0; step < fit.steps; ++step) {
    tensor::check(stop_signal() == 0, "rqvae: stopped by a signal after {} of {} steps; nothing was written", step,
                  fit.steps);
    const RqVae::Output out = fit.model.forward(data.next(), settings.alpha, settings.beta);
    out.loss.backward();
    adam.step(nn::inverse_square_root(double(step), warmup, settings.first_rate, settings.rate));
    fit.redrawn += redraw.apply(fit.model.quantiser(), out.quantised);
    if (step % 10 == 9 || step + 1 == fit.steps) {
      progress("rq-vae", step + 1, fit.steps, fmt::format("loss {:.4f}", out.loss.value().item()));
    }
  }
  encode_all(fit, x, settings);
  return fit;
}

}  // namespace ace
