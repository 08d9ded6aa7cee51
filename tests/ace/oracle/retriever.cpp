#include <map>

#include "ace/objective.h"
#include "checks.h"
#include "nn/optimizer.h"

namespace oracle {

using autograd::Variable;

namespace {

using Shown = std::map<std::string, Tensor>;

/// Listens to a pass: every intermediate result by the name it has in the values file.
Shown& listen(nn::Pass& pass, const std::string& prefix, Shown& into) {
  pass.tap = [prefix, &into](const std::string& name, const Variable& value) { into[prefix + name] = value.value(); };
  return into;
}

/// Compares every intermediate result of the file whose name starts with `prefix`.
void compare_shown(const Check& check, const std::string& prefix, Shown shown) {
  const auto& layer = check.folder.options.layer;
  for (int64_t l = 0; l < check.folder.options.decoder_layers; ++l) {  // the file has C_1 … C_S in one tensor
    std::vector<Variable> parts;
    for (int64_t i = 0; i < layer.encoder_layers; ++i) {
      parts.emplace_back(shown.at(fmt::format("{}dec.{}.Ci.{}", prefix, l, i)));
    }
    shown[fmt::format("{}dec.{}.Ci", prefix, l)] = autograd::concat(parts, 0).value();
  }
  for (const auto& [name, value] : shown) {
    if (!check.has(name)) continue;
    const Tensor& theirs = check.folder.values.at(name);
    const bool of_tokens = name.starts_with(prefix + "E.") || name == prefix + "Z";
    check.result.compare(name, value, of_tokens ? pack<double>(check.folder, theirs) : theirs, check.limit().value);
  }
}

void compare_objective(const Check& check, const std::string& prefix, const ace::Objective& objective) {
  check.result.compare(prefix + "nll", objective.nll.value(), check.limit().value);
  if (objective.kl.defined()) check.result.compare(prefix + "kl", objective.kl.value(), check.limit().value);
  check.result.compare(prefix + "loss", objective.loss.value(), check.limit().value);
}

/// Two passes and their loss. The file has them for ω = 0 too, where objective() makes one pass only.
ace::Objective two_passes(const ace::Retriever& model, const Folder& folder, nn::Pass& pass) {
  if (folder.omega > 0) return ace::objective(model, folder.texts, folder.identifiers, folder.omega, pass);
  std::vector<std::vector<int32_t>> texts = folder.texts;
  texts.insert(texts.end(), folder.texts.begin(), folder.texts.end());
  const Variable once(folder.identifiers.to(DType::f64));
  const Tensor twice = autograd::concat({once, once}, 0).value().to(DType::i32);
  const auto logits = model.forward(model.encode(nn::TextBatch::pack(texts), pass), twice, pass);
  return ace::objective_of(logits, folder.identifiers, 0, true);
}

void check_eval(const Check& check) {
  const ace::Retriever model = retriever(check.folder, check.type);
  nn::Pass pass;
  Shown shown;
  listen(pass, "eval.", shown);
  const ace::Objective objective = ace::objective(model, check.folder.texts, check.folder.identifiers, 0, pass);
  objective.loss.backward();
  compare_shown(check, "eval.", std::move(shown));
  compare_objective(check, "eval.", objective);
  compare_gradients(check, "eval.grad.", nn::parameters(model));
}

void check_train(const Check& check) {
  const ace::Retriever model = retriever(check.folder, check.type);
  nn::Pass pass(check.folder.dropout, check.folder.masks);
  Shown shown;
  listen(pass, "train.", shown);
  const ace::Objective objective = two_passes(model, check.folder, pass);
  tensor::check(check.folder.dropout == 0 || pass.sites() == check.folder.masks.size(),
                "expected {} dropout sites, found {}", check.folder.masks.size(), pass.sites());
  objective.loss.backward();
  compare_shown(check, "train.", std::move(shown));
  compare_objective(check, "train.", objective);
  compare_gradients(check, "train.grad.", nn::parameters(model));
}

void check_adam(const Check& check) {
  const ace::Retriever model = retriever(check.folder, check.type);
  nn::Adam adam(nn::parameters(model));
  std::vector<double> losses;
  for (int step = 0; step < 3; ++step) {
    nn::Pass pass(check.folder.dropout, check.folder.masks);
    const ace::Objective objective = two_passes(model, check.folder, pass);
    losses.push_back(objective.loss.value().item());
    objective.loss.backward();
    adam.step(1e-3);
  }
  check.result.compare("adam3.losses", Tensor::of<double>(Shape{3}, std::span<const double>(losses)),
                       check.folder.values.at("adam3.losses"), check.limit().adam);
  compare_stepped(check, "adam3.param.", "train.grad.", nn::parameters(model));
}

}  // namespace

ace::Retriever retriever(const Folder& folder, DType type) {
  nn::Initializer init(1, type);
  ace::Retriever model(folder.options, init);
  nn::load(nn::parameters(model), folder.model);
  return model;
}

void check_retriever(const Check& check) {
  check_eval(check);
  check_train(check);
  check_adam(check);
}

}  // namespace oracle
