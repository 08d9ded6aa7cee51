#include <algorithm>
#include <array>
#include <cmath>

#include "ace/kmeans.h"
#include "ace/redraw.h"
#include "ace/rqvae.h"
#include "nn/optimizer.h"
#include "nn/schedule.h"
#include "tensor/feed.h"
#include "tensor/random.h"

namespace ace {

using nn::Variable;
using tensor::Device;
using tensor::DType;
using tensor::Shape;
using tensor::Tensor;

namespace {

enum Stream : uint64_t { batches = 1, initial = 2, windows = 3 };

/// Rows of x, window after window, each in an order that is drawn anew: every row once a round. On a GPU a batch
/// travels while the one before is learned from, whose place it then takes.
class Batches {
 public:
  Batches(const Rows& x, int64_t size, uint64_t seed)
      : x_(x.on(Device::cpu)),
        device_(x.device()),
        size_(std::min(size, x.count())),
        random_(seed, Stream::batches),
        windows_(x.count(), tensor::Random(seed, Stream::windows)) {}
  Variable next() {
    if (size_ == x_.count()) {
      if (!whole_.defined()) whole_ = Variable(x_.block(0, size_).to(device_));
      return whole_;
    }
    if (device_ == Device::cpu) return Variable(draw());
    if (!there_.block().defined()) send();
    feed_.receive(there_);
    send();
    return Variable(there_[0]);
  }

 private:
  Tensor draw() {
    while (int64_t(order_.size()) < at_ + size_) {
      std::vector<int64_t> window = windows_.next();
      if (int64_t(window.size()) < x_.count()) x_.announce(window);
      random_.shuffle(std::span(window));
      order_.erase(order_.begin(), order_.begin() + at_);
      order_.insert(order_.end(), window.begin(), window.end());
      at_ = 0;
    }
    at_ += size_;
    return x_.gather(std::span(order_).subspan(size_t(at_ - size_), size_t(size_)));
  }
  void send() {
    const std::array rows = {draw()};
    if (!there_.block().defined()) there_ = tensor::Bundle(rows, device_);
    feed_.send(rows);
  }

  Rows x_;
  Device device_;
  int64_t size_;
  tensor::Random random_;
  Windows windows_;
  std::vector<int64_t> order_;
  int64_t at_ = 0;
  Variable whole_;  ///< all rows, where a batch holds them
  tensor::Feed feed_;
  tensor::Bundle there_;  ///< a batch, where it is learned from
};

/// At least 8,192 rows (or all), evenly spread: enough that k-means leaves no entry dead from the start.
Tensor sample(const Rows& x, int64_t entries) {
  std::vector<int64_t> rows(size_t(std::min(x.count(), std::max<int64_t>(8192, 64 * entries))));
  for (size_t i = 0; i < rows.size(); ++i) rows[i] = int64_t(i) * x.count() / int64_t(rows.size());
  return x.gather(rows);
}

/// Sets each codebook to k-means centres of the residuals that reach it, with hard codes, one after the other.
void initialise_codebooks(const RqVae& model, const Rows& x, uint64_t seed) {
  const autograd::NoGrad none;
  const auto& codebooks = model.quantiser().codebooks;
  Variable residual = model.encode(Variable(sample(x, codebooks.front().size(0))));
  for (size_t m = 0; m < codebooks.size(); ++m) {
    const int64_t entries = std::min(codebooks[m].size(0), residual.rows());
    const KMeans fit = fit_lloyd(residual.value(), entries, 10, seed + m);
    const Tensor table = codebooks[m].value().clone();
    tensor::copy(table.range(0, entries), fit.centroids);
    codebooks[m].set_value(table);
    residual = autograd::sub(residual, autograd::embedding(codebooks[m], nn::nearest(residual.value(), table)));
  }
}

/// Codes and mean squared reconstruction error of all rows, with the weights as they stand.
void encode_all(RqVaeFit& fit, const Rows& x, const Settings::RqVae& settings) {
  const autograd::NoGrad none;
  fit.codes = Tensor(Shape{x.count(), settings.codebooks}, DType::i32);
  double error = 0, energy = 0;
  for (int64_t begin = 0, size = 4 * x.block_rows(); begin < x.count(); begin += size) {
    const Tensor rows = x.block(begin, std::min(begin + size, x.count()));
    const RqVae::Output out = fit.model.forward(Variable(rows), settings.alpha, settings.beta);
    for (int64_t m = 0; m < settings.codebooks; ++m) {
      const Tensor codes = out.quantised.codes[size_t(m)].to(Device::cpu);
      for (int64_t b = 0; b < rows.rows(); ++b) {
        fit.codes.data<int32_t>()[(begin + b) * settings.codebooks + m] = codes.data<int32_t>()[b];
      }
    }
    error += out.recon.value().item() * double(rows.rows());
    energy += autograd::sum(autograd::mul(Variable(rows), Variable(rows))).value().item();
  }
  tensor::check(std::isfinite(error),
                "rqvae: the reconstruction of the rows is not finite; a smaller rqvae.rate may help");
  fit.reconstruction = error / double(x.count());
  fit.variance = energy / double(x.count());
}

}  // namespace

RqVaeFit fit_rqvae(const Rows& x, const Settings::RqVae& settings, uint64_t seed, const Progress& progress) {
  tensor::check(x.count() > 0, "rqvae: no rows to train on");
  std::vector<int64_t> sizes{x.width()};
  sizes.insert(sizes.end(), settings.hidden.begin(), settings.hidden.end());
  sizes.push_back(settings.latent);
  nn::Initializer init(seed, DType::f32, precision_on(x.device(), settings.precision));
  RqVaeFit fit{RqVae(sizes, settings.codebooks, settings.entries, init), {}, 0, 0, 0, 0};
  nn::move(nn::parameters(fit.model), x.device());
  if (settings.kmeans_init) initialise_codebooks(fit.model, x, seed + Stream::initial);

  const int64_t per_epoch = (x.count() + settings.batch - 1) / settings.batch;
  fit.steps = std::max(settings.epochs * per_epoch, settings.min_steps);
  const double warmup =
      double(fit.steps) * double(settings.warmup_epochs) / double(std::max<int64_t>(settings.epochs, 1));
  nn::Adam::Options options;
  if (settings.precision == "f16") options.scale = kernels::LossScale();
  nn::Adam adam(nn::parameters(fit.model), options);
  Batches data(x, settings.batch, seed);
  Redraw redraw(fit.model.quantiser(), settings.redraw_steps);
  for (int64_t step = 0; step < fit.steps; ++step) {
    const RqVae::Output out = fit.model.forward(data.next(), settings.alpha, settings.beta);
    out.loss.backward(adam.loss_gradient(out.loss.value()));
    adam.step(nn::inverse_square_root(double(step), warmup, settings.first_rate, settings.rate));
    fit.redrawn += redraw.apply(fit.model.quantiser(), out.quantised);
    if (step % 10 == 9 || step + 1 == fit.steps) {
      const double loss = out.loss.value().item();
      tensor::check(std::isfinite(loss), "rqvae: the loss is {} at step {}; a smaller rqvae.rate may help", loss,
                    step + 1);
      progress("rq-vae", step + 1, fit.steps, fmt::format("loss {:.4f}", loss));
    }
  }
  fit.skipped = adam.progress().skipped;
  encode_all(fit, x, settings);
  return fit;
}

}  // namespace ace
