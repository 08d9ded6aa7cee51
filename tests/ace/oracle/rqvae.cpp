#include "ace/rqvae.h"

#include "checks.h"
#include "nn/optimizer.h"

namespace oracle {

namespace {

ace::RqVae rqvae(const Folder& folder, DType type) {
  nn::Initializer init(1, type);
  ace::RqVae model(folder.rq_sizes, folder.rq_codebooks, folder.rq_entries, init);
  nn::load(nn::parameters(model), folder.rqvae);
  return model;
}

void compare_codes(const Check& check, const std::vector<Tensor>& ours) {
  const Tensor theirs = check.folder.values.at("rq.idx").to(DType::i32);
  const int64_t books = int64_t(ours.size());
  bool equal = theirs.shape() == Shape{ours[0].elements(), books};
  for (int64_t i = 0; equal && i < theirs.elements(); ++i) {
    equal = ours[size_t(i % books)].data<int32_t>()[i / books] == theirs.data<int32_t>()[i];
  }
  check.result.require("rq.idx", equal, "other codes");
}

}  // namespace

void check_rqvae(const Check& check) {
  const ace::RqVae model = rqvae(check.folder, check.type);
  const nn::Variable x(check.folder.values.at("rq.x").to(check.type));
  nn::Adam adam(nn::parameters(model));
  std::vector<double> losses;
  for (int step = 0; step < 3; ++step) {
    const auto out = model.forward(x, check.folder.alpha, check.folder.beta);
    out.loss.backward();
    losses.push_back(out.loss.value().item());
    if (step == 0) {
      const double limit = check.limit().value;
      check.result.compare("rq.z", out.latent.value(), limit);
      check.result.compare("rq.q", out.quantised.sum.value(), limit);
      check.result.compare("rq.xr", out.reconstruction.value(), limit);
      check.result.compare("rq.recon", out.recon.value(), limit);
      check.result.compare("rq.commit", out.quantised.commitment.value(), limit);
      check.result.compare("rq.loss", out.loss.value(), limit);
      compare_codes(check, out.quantised.codes);
      compare_gradients(check, "rq.grad.", nn::parameters(model));
    }
    adam.step(1e-3);
  }
  check.result.compare("rq.adam3.losses", Tensor::of<double>(Shape{3}, std::span<const double>(losses)),
                       check.folder.values.at("rq.adam3.losses"), check.limit().adam);
  compare_stepped(check, "rq.adam3.param.", "rq.grad.", nn::parameters(model));
}

}  // namespace oracle
