#include "ace/train.h"

#include <chrono>
#include <cmath>
#include <nlohmann/json.hpp>

#include "ace/judged.h"
#include "ace/learner.h"
#include "ace/measures.h"
#include "ace/search.h"
#include "ace/stop.h"
#include "ace/training_state.h"
#include "nn/schedule.h"
#include "tensor/file.h"
#include "tensor/random.h"

namespace ace {

using nlohmann::json;
using tensor::check;
using tensor::DType;
using tensor::Shape;

namespace {

constexpr uint64_t shuffle_stream = uint64_t(1) << 32;  ///< plus the epoch: the order of its pairs

/// Dev queries as the model sees them, and the items that answer them.
struct DevQueries {
  std::vector<std::vector<int32_t>> tokens, relevant;
  int64_t cut = 0;  ///< how many were longer than the model sees
};

/// At most `limit` of them, evenly spread (0: all).
DevQueries dev_queries(const Corpus& corpus, const Tokenizer& tokenizer, int64_t max_tokens, int64_t limit) {
  Judged all = judged_queries(corpus, Split::dev);
  const int64_t n = int64_t(all.queries.size()), kept = limit == 0 ? n : std::min(n, limit);
  DevQueries result;
  for (int64_t i = 0; i < kept; ++i) {
    const size_t at = size_t(i * n / kept);
    const std::string& text = corpus.queries[size_t(all.queries[at])].text;
    bool cut = false;
    result.tokens.push_back(tokenizer.encode_query(text, max_tokens, &cut));
    result.cut += cut;
    result.relevant.push_back(std::move(all.relevant[at]));
  }
  return result;
}

class Trainer {
 public:
  Trainer(Run& run, const Settings& settings, const Corpus& corpus, const Tokenizer& tokenizer,
          const Progress& progress)
      : run_(run),
        settings_(settings),
        progress_(progress),
        model_(make_retriever(run, settings, tokenizer.size(),
                              nn::Initializer(uint64_t(settings.seed), DType::f32,
                                              precision_on(settings.device, settings.train.precision)))),
        parameters_(nn::parameters(model_)),
        learner_(model_, learner_options(settings)),
        trie_(run.trie),
        losses_(Shape{log_steps * settings.train.accumulate}, DType::f32, settings.device) {
    const int64_t max_tokens = settings.tokenizer.max_tokens;
    texts_.resize(corpus.queries.size());
    for (const Judgement& judgement : corpus.judgements[size_t(Split::train)]) {
      auto& text = texts_[size_t(judgement.query)];
      pairs_.push_back(judgement);
      if (!text.empty()) continue;
      bool cut = false;
      text = tokenizer.encode_query(corpus.queries[size_t(judgement.query)].text, max_tokens, &cut);
      cut_texts_ += cut;
    }
    check(!pairs_.empty(), "{}: no training queries; qrels/train.tsv judges none", corpus.folder.string());
    dev_ = dev_queries(corpus, tokenizer, max_tokens, settings.train.dev_queries);
    per_epoch_ = (int64_t(pairs_.size()) + settings.train.batch - 1) / settings.train.batch;
    total_ = per_epoch_ * settings.train.epochs;
    const double share =
        settings.train.warmup_epochs > 0 ? settings.train.warmup_epochs * double(per_epoch_) : 0.05 * double(total_);
    warmup_ = std::max(1.0, share);
    cycle_ = settings.train.cycle_epochs > 0 ? settings.train.cycle_epochs * double(per_epoch_)
                                             : std::max(1.0, double(total_) - warmup_);
  }

  void resume() {
    state_ = TrainingState::load(run_.path("checkpoint.safetensors"), total_, parameters_, learner_.adam());
    progress_of_adam_ = learner_.adam().progress();
    log_ = run_.text("log.jsonl");  // committed with the checkpoint, so it ends where that does
  }

  json run() {
    started_ = std::chrono::steady_clock::now();
    first_ = state_.step;
    prepared_ = first_ * settings_.train.accumulate;
    for (bool stop = false; state_.step < total_ && !stop;) {
      take_step();
      stop = stop_signal() != 0;  // looked at once, so that what stops the loop is what writes the checkpoint
      const bool epoch_ends = state_.step % per_epoch_ == 0, over = state_.step == total_;
      const int64_t epoch = state_.step / per_epoch_, every = settings_.train.evaluate_epochs;
      if (state_.step % log_steps == 0 || epoch_ends) log_losses();
      const bool measured = over || (epoch_ends && every > 0 && epoch % every == 0);
      const bool improved = measured && measure_dev();
      if (measured || stop || state_.step % settings_.train.checkpoint_steps == 0) commit(improved);
    }
    return {{"steps", state_.step},
            {"epochs", double(state_.step) / double(per_epoch_)},
            {"finished", state_.step == total_},
            {"pairs", pairs_.size()},
            {"parameters", nn::count(parameters_)},
            {"loss", state_.loss},
            {"skipped_steps", progress_of_adam_.skipped},
            {"cut_texts", cut_texts_ + dev_.cut},
            {"dev_queries", dev_.tokens.size()},
            {"best_step", state_.best_step},
            {"best_dev_mrr@10", state_.best_mrr >= 0 ? json(state_.best_mrr) : json()},
            {"seconds", seconds()},
            {"pairs_per_second", rate()}};
  }

 private:
  static constexpr int64_t log_steps = 50;

  static Learner::Options learner_options(const Settings& settings) {
    const Settings::Train& train = settings.train;
    Learner::Options options{settings.model.dropout, train.omega, train.clip, uint64_t(settings.seed), {}};
    if (train.precision == "f16") options.adam.scale = kernels::LossScale();
    (train.optimizer == "adamw" ? options.adam.weight_decay : options.adam.l2) = train.weight_decay;
    return options;
  }

  /// A step is done on `train.batch` pairs, in `train.accumulate` parts whose gradients add up to the whole batch's.
  /// Parts are numbered through all steps; this one has pairs order[first … last), none where there are too few.
  struct Part {
    int64_t step, first, last;
    double share;  ///< of the batch
  };
  Part part_of(int64_t number) const {
    const int64_t parts = settings_.train.accumulate, step = number / parts, part = number % parts;
    const int64_t begin = step % per_epoch_ * settings_.train.batch;
    const int64_t size = std::min(settings_.train.batch, int64_t(pairs_.size()) - begin);
    const int64_t first = begin + size * part / parts, last = begin + size * (part + 1) / parts;
    return {step, first, last, double(last - first) / double(size)};
  }

  double rate_at(int64_t step) const {
    const Settings::Train& t = settings_.train;
    return nn::cosine_restarts(double(step), warmup_, cycle_, t.first_rate, t.rate);
  }

  void prepare(int64_t number) {
    const Part part = part_of(number);
    if (part.first == part.last) return;
    if (const int64_t epoch = part.step / per_epoch_; epoch != order_epoch_) {
      order_ = tensor::Random(uint64_t(settings_.seed), shuffle_stream + uint64_t(epoch))
                   .permutation(int64_t(pairs_.size()));
      order_epoch_ = epoch;
    }
    std::vector<std::vector<int32_t>> texts;
    const int64_t j = run_.identifiers.positions();
    Tensor identifiers(Shape{part.last - part.first, j}, DType::i32);
    for (int64_t i = part.first; i < part.last; ++i) {
      const Judgement& pair = pairs_[size_t(order_[size_t(i)])];
      texts.push_back(texts_[size_t(pair.query)]);
      const auto row = run_.identifiers.row(pair.item);
      std::copy(row.begin(), row.end(), identifiers.data<int32_t>() + (i - part.first) * j);
    }
    learner_.prepare(texts, identifiers, uint64_t(number), rate_at(part.step));
  }

  /// On a device the next part is made ready while this one is computed, and nothing is asked of it.
  void take_step() {
    const tensor::Range range(model_.device(), "training step");
    const int64_t parts = settings_.train.accumulate;
    const bool ahead = model_.device() != tensor::Device::cpu;
    for (int64_t number = state_.step * parts; number < (state_.step + 1) * parts; ++number) {
      while (prepared_ <= number) prepare(prepared_++);
      const Part part = part_of(number);
      if (part.first == part.last) continue;
      const Tensor loss = parts == 1 ? learner_.step() : learner_.add(part.share);
      const int64_t at = int64_t(shares_.size());
      tensor::copy(losses_.range(at, at + 1).reshape(loss.shape()), loss);
      shares_.push_back({state_.step, part.share});
      if (ahead && prepared_ < total_ * parts) prepare(prepared_++);
    }
    if (parts > 1) learner_.finish(rate_at(state_.step));
    ++state_.step;
    if (!ahead || state_.step == first_ + 1) look();
    progress_("train", state_.step, total_, fmt::format("loss {:.3f}", state_.loss));
  }

  /// In f16 small gradients would vanish, so the loss is multiplied, by as much as they bear; a step on which they
  /// overflow is skipped and counted. In the wider types a gradient that is not finite is an error.
  bool scales_loss() const { return settings_.train.precision == "f16"; }

  /// Looks at what became of the steps since it last did; on a device before something is written, and where that is an
  /// error the weights are those from before it.
  void look() {
    const Tensor here = losses_.to(tensor::Device::cpu);
    for (size_t i = 0; i < shares_.size();) {
      double loss = 0;
      const int64_t step = shares_[i].step;
      for (; i < shares_.size() && shares_[i].step == step; ++i)
        loss += shares_[i].share * double(here.data<float>()[i]);
      check(std::isfinite(loss), "train: the loss is {} at step {}; a smaller train.rate may help", loss, step + 1);
      state_.loss_sum += loss;
      ++state_.loss_steps;
      state_.loss = loss;
    }
    shares_.clear();
    progress_of_adam_ = learner_.adam().progress();
    check(scales_loss() || progress_of_adam_.skipped == 0,
          "train: the gradient's norm is not finite at step {}; a smaller train.rate may help", state_.step);
  }

  void log_losses() {
    look();
    if (state_.loss_steps == 0) return;
    json facts = {{"loss", state_.loss_sum / double(state_.loss_steps)}, {"pairs_per_second", std::round(rate())}};
    if (scales_loss()) {
      facts.update({{"loss_scale", progress_of_adam_.scale}, {"skipped_steps", progress_of_adam_.skipped}});
    }
    write_log(facts);
    state_.loss_sum = 0, state_.loss_steps = 0;
  }

  void write_log(const json& facts) {
    json line = {{"step", state_.step}, {"epoch", double(state_.step) / double(per_epoch_)}};
    line.update(facts);
    log_ += line.dump() + "\n";
  }

  /// Measures the dev queries; whether their MRR@10 is the best so far. Without dev queries the latest is the best.
  bool measure_dev() {
    if (dev_.tokens.empty()) return true;
    const BeamOptions options{settings_.search.beam, true};
    std::vector<int64_t> ranks;
    const auto found = search_all(search_, dev_.tokens, options, settings_.search.batch);
    for (size_t q = 0; q < found.size(); ++q) {
      std::vector<int32_t> items;
      for (const Hypothesis& hypothesis : found[q]) items.push_back(hypothesis.item);
      ranks.push_back(first_relevant(items, dev_.relevant[q]));
    }
    const Measures m = measure(ranks);
    write_log({{"dev_recall@1", m.recall_1}, {"dev_recall@10", m.recall_10}, {"dev_mrr@10", m.mrr_10}});
    progress_("train", state_.step, total_, fmt::format("dev R@1 {:.1f} MRR {:.1f}", 100 * m.recall_1, 100 * m.mrr_10));
    if (m.mrr_10 < state_.best_mrr) return false;  // of equals the later: it has seen more
    state_.best_mrr = m.mrr_10;
    return true;
  }

  void commit(bool improved) {
    look();
    std::map<std::string, std::string> files;
    if (improved || dev_.tokens.empty() || !run_.has("retriever.safetensors")) {
      files["retriever.safetensors"] = tensor::safetensors_bytes(nn::to_tensors(parameters_));
      state_.best_step = state_.step;
    }
    files["checkpoint.safetensors"] = state_.save(parameters_, learner_.adam());
    files["log.jsonl"] = log_;
    files["settings.toml"] = to_toml(settings_);
    run_.commit(files);
  }

  double seconds() const { return std::chrono::duration<double>(std::chrono::steady_clock::now() - started_).count(); }
  double rate() const { return double((state_.step - first_) * settings_.train.batch) / std::max(seconds(), 1e-9); }

  Run& run_;
  const Settings settings_;
  const Progress& progress_;
  Retriever model_;
  nn::Parameters parameters_;
  Learner learner_;
  kernels::LossScale progress_of_adam_ = learner_.adam().progress();
  Trie trie_;
  BeamSearch search_{model_, trie_};
  std::vector<std::vector<int32_t>> texts_;  ///< tokens by query; empty where it trains nothing
  int64_t cut_texts_ = 0;                    ///< of them, to tokenizer.max_tokens
  std::vector<Judgement> pairs_;
  DevQueries dev_;
  int64_t per_epoch_ = 1, total_ = 1;
  double warmup_ = 1, cycle_ = 1;
  TrainingState state_;
  std::vector<int64_t> order_;
  int64_t order_epoch_ = -1, first_ = 0, prepared_ = 0;  ///< prepared_: parts
  Tensor losses_;                                        ///< of the parts since the last look()
  struct Share {
    int64_t step;
    double share;
  };
  std::vector<Share> shares_;  ///< of each loss in its step's
  std::string log_;
  std::chrono::steady_clock::time_point started_;
};

}  // namespace

Corpus load_run_corpus(const Run& run, const std::optional<std::filesystem::path>& elsewhere) {
  const std::filesystem::path folder = elsewhere.value_or(run.corpus_path);
  check(elsewhere || tensor::exists(folder), "run: its corpus {} is not there any more; name its place with --corpus",
        folder.string());
  Corpus corpus = load_corpus(folder);
  check(corpus.checksum == run.corpus_checksum,
        "{}: this is not the corpus that the run was made from: expected checksum {}, found {}", folder.string(),
        run.corpus_checksum, corpus.checksum);
  return corpus;
}

namespace {

/// Identifiers stand, so what made them stands; and so does all that shapes a step, once steps have been made.
void check_unchanged(const Run& run, const Settings& settings, bool resume) {
  for (const Setting& setting : settings_table()) {
    const bool fixed = setting.stage == "identify" || (resume && (setting.stage == "train" || setting.stage == "all"));
    const std::string before = value_text(run.settings, setting), now = value_text(settings, setting);
    check(!fixed || before == now, "{}: the run {} has {}, found {}; it cannot be changed {}", setting.name,
          run.folder().string(), before, now, setting.stage == "identify" ? "after identify" : "on --resume");
  }
}

}  // namespace

json train(Run& run, const Settings& settings, const TrainOptions& options, const Progress& progress) {
  check_settings(settings);
  const bool has_checkpoint = run.has("checkpoint.safetensors");
  check(options.resume || !has_checkpoint,
        "run: {} is trained already, or in part; go on with --resume, or identify anew", run.folder().string());
  check(!options.resume || has_checkpoint, "run: {} has no checkpoint to resume from", run.folder().string());
  check_unchanged(run, settings, options.resume);
  const Corpus corpus = load_run_corpus(run, options.corpus);
  const Tokenizer tokenizer = run.tokenizer();
  Trainer trainer(run, settings, corpus, tokenizer, progress);
  if (options.resume) trainer.resume();
  return trainer.run();
}

}  // namespace ace
