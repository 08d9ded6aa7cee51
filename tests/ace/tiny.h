#pragma once
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <set>

#include "ace/identifiers.h"
#include "ace/identify.h"
#include "ace/retriever.h"
#include "ace/sample.h"
#include "kernels/backend.h"
#include "tensor/file.h"
#include "tensor/random.h"
#include "tests/files.h"

/// Small models, tables and runs on which behaviour shows.
namespace ace::tiny {

inline RetrieverOptions sizes(std::vector<int64_t> identifiers, int64_t vocabulary = 20) {
  RetrieverOptions options{vocabulary, std::move(identifiers), 2, {}};
  options.layer.width = 16, options.layer.heads = 2, options.layer.inner = 32, options.layer.encoder_layers = 2;
  return options;
}

/// A retriever with drawn weights; `sharpness` scales the heads, so that its choices differ clearly.
inline Retriever retriever(const RetrieverOptions& options, uint64_t seed, tensor::DType type = tensor::DType::f32,
                           double sharpness = 4) {
  nn::Initializer init(seed, type);
  Retriever model(options, init);
  for (const nn::Parameter& p : nn::parameters(model)) {
    if (!p.name.starts_with("heads.")) continue;
    const nn::Variable scaled = autograd::scale(p.variable, sharpness);
    p.variable.set_value(scaled.value());
  }
  return model;
}

/// The parameter of that name.
inline nn::Variable parameter(const Retriever& model, const std::string& name) {
  for (const nn::Parameter& p : nn::parameters(model)) {
    if (p.name == name) return p.variable;
  }
  tensor::fail("no parameter {}", name);
}

inline Identifiers table(std::vector<int64_t> vocabulary, const std::vector<std::vector<int32_t>>& rows) {
  std::vector<int32_t> values;
  for (const auto& row : rows) values.insert(values.end(), row.begin(), row.end());
  const tensor::Shape shape{int64_t(rows.size()), int64_t(vocabulary.size())};
  return {tensor::Tensor::of<int32_t>(shape, values), std::move(vocabulary)};
}

/// At most `items` distinct rows in random order.
inline Identifiers draw_table(std::vector<int64_t> vocabulary, int64_t items, tensor::Random& random) {
  std::set<std::vector<int32_t>> rows;
  for (int64_t i = 0; i < items; ++i) {
    std::vector<int32_t> row;
    for (const int64_t size : vocabulary) row.push_back(int32_t(random.below(size)));
    rows.insert(row);
  }
  std::vector<std::vector<int32_t>> order(rows.begin(), rows.end());
  random.shuffle(std::span(order));
  return table(std::move(vocabulary), order);
}

/// Token sequences of 1 … `longest` pieces, each ended with eos.
inline std::vector<std::vector<int32_t>> draw_queries(int64_t count, int64_t longest, tensor::Random& random,
                                                      int64_t vocabulary = 20) {
  std::vector<std::vector<int32_t>> queries(static_cast<size_t>(count));
  for (auto& query : queries) {
    for (int64_t i = random.below(longest); i > 0; --i) query.push_back(int32_t(3 + random.below(vocabulary - 3)));
    query.push_back(2);
  }
  return queries;
}

/// log p of each token after `prefix`, over the whole vocabulary, by Retriever::forward.
inline std::vector<double> next_log_p(const Retriever& model, const std::vector<int32_t>& query,
                                      const std::vector<int32_t>& prefix) {
  const autograd::NoGrad inference;
  nn::Pass pass;
  const auto memory = model.encode(nn::TextBatch::pack(std::vector<std::vector<int32_t>>{query}), pass);
  std::vector<int32_t> padded = prefix;
  padded.resize(size_t(model.positions()));
  const tensor::Tensor identifiers =
      tensor::Tensor::of<int32_t>(tensor::Shape{1, model.positions()}, std::span<const int32_t>(padded));
  const tensor::Tensor logits = model.forward(memory, identifiers, pass)[prefix.size()].value().to(tensor::DType::f64);
  const auto x = logits.values<double>();
  const double largest = *std::max_element(x.begin(), x.end());
  double sum = 0;
  for (const double value : x) sum += std::exp(value - largest);
  std::vector<double> result;
  for (const double value : x) result.push_back(value - largest - std::log(sum));
  return result;
}

/// Settings with which the sample of 100 items is identified and trained for two epochs in a second.
inline Settings settings() {
  Settings s;
  s.kmeans.clusters = 8;
  s.rqvae.entries = 8, s.rqvae.latent = 8, s.rqvae.hidden = {16};
  s.rqvae.epochs = 20, s.rqvae.warmup_epochs = 2, s.rqvae.min_steps = 20, s.rqvae.redraw_steps = 5;
  s.tokenizer.pieces = 400, s.tokenizer.max_tokens = 16;
  s.model.width = 16, s.model.heads = 2, s.model.encoder_layers = 1, s.model.decoder_layers = 1;
  s.train.epochs = 2, s.train.batch = 64, s.train.rate = 5e-3;
  s.search.beam = 5;
  return s;
}

/// The sample corpus of 100 items as a folder.
inline Corpus corpus(const std::filesystem::path& folder) {
  write_corpus(folder, make_sample(100, 1));
  return load_corpus(folder);
}

/// While one lives, kernels use one thread: the quickest for models so small, and a process can fork.
struct OneThread {
  OneThread() { kernels::set_threads(1); }
  ~OneThread() { kernels::set_threads(0); }
};

/// A corpus and a run of it, both in the test's folder; every call of `copy` gives another run with the same bytes.
struct Runs {
  explicit Runs(const Settings& settings = tiny::settings())
      : corpus(tiny::corpus(scratch.path() / "corpus")),
        run(identify(corpus, settings, scratch.path() / "identified", Progress())) {}
  Run copy(const std::string& name) const {
    std::filesystem::copy(run.folder(), scratch.path() / name, std::filesystem::copy_options::recursive);
    return Run::open(scratch.path() / name);
  }
  OneThread one;
  TemporaryFolder scratch;
  Corpus corpus;
  Run run;
};

inline std::string bytes(const Run& run, const std::string& name) { return tensor::read_file(run.path(name)); }

}  // namespace ace::tiny
