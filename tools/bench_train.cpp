#include "ace/learner.h"
#include "ace/rqvae.h"
#include "tools/bench_counts.h"
#include "tools/bench_inputs.h"
#include "tools/bench_report.h"
#include "tools/usage.h"

namespace tools::bench {
namespace {

using tensor::Tensor;

struct Options {
  ModelOptions model;
  std::vector<int64_t> batch = {64, 256};
  int64_t tokens = 24, parts = 1;
  std::optional<std::filesystem::path> captions;
  int64_t item_width = 1024, rqvae_batch = 2048;
};

constexpr double rate = 1e-4;

/// Seconds of one step. On a GPU of several that follow one another, as in training: nothing waits for the device
/// between them.
template <class Steps>
Timing time_steps(const Report& report, tensor::Device device, const Steps& steps) {
  const int64_t count = device == tensor::Device::cpu ? 1 : 10;
  Timing timing = report.time([&] { steps(count); });
  for (double* const seconds : {&timing.seconds, &timing.fastest, &timing.slowest}) *seconds /= double(count);
  return timing;
}

/// Training as ace/train.cpp does it, without corpus, log and checkpoint.
class Training {
 public:
  Training(const ace::RetrieverOptions& options, uint64_t seed, kernels::Precision precision, tensor::Device device)
      : model_(make(options, seed, precision, device)), learner_(model_, learner_options(seed, precision)) {}

  /// So many steps: two dropout passes, loss, backward, clip, Adam; the batch in `parts` whose gradients add up. On a
  /// device the next part is made ready while this one is computed.
  void steps(int64_t count, const Texts& texts, const Tensor& identifiers, int64_t parts) {
    const int64_t batch = identifiers.size(0), all = count * parts;
    const bool ahead = model_.device() != tensor::Device::cpu;
    const auto range = [&](int64_t number) {
      return std::pair{batch * (number % parts) / parts, batch * (number % parts + 1) / parts};
    };
    int64_t prepared = 0;
    const auto prepare = [&] {
      const auto [first, last] = range(prepared++);
      const auto some = std::span(texts).subspan(size_t(first), size_t(last - first));
      learner_.prepare(some, identifiers.range(first, last), ++passes_, rate);
    };
    for (int64_t number = 0; number < all; ++number) {
      if (prepared == number) prepare();
      const auto [first, last] = range(number);
      parts > 1 ? learner_.add(double(last - first) / double(batch)) : learner_.step();
      if (ahead && prepared < all) prepare();
      if (parts > 1 && (number + 1) % parts == 0) learner_.finish(rate);
    }
  }

 private:
  static ace::Retriever make(const ace::RetrieverOptions& options, uint64_t seed, kernels::Precision precision,
                             tensor::Device device) {
    nn::Initializer init(seed, tensor::DType::f32, precision);
    ace::Retriever model(options, init);
    nn::move(nn::parameters(model), device);
    return model;
  }
  static ace::Learner::Options learner_options(uint64_t seed, kernels::Precision precision) {
    const ace::Settings defaults;
    ace::Learner::Options options{defaults.model.dropout, defaults.train.omega, defaults.train.clip, seed, {}};
    if (precision == kernels::Precision::f16) options.adam.scale = kernels::LossScale();
    return options;
  }

  uint64_t passes_ = 0;
  ace::Retriever model_;
  ace::Learner learner_;
};

void add_row(Report& report, const char* work, int64_t batch, const std::string& input, const Timing& timing,
             double flops) {
  nlohmann::json row = {{"work", work},
                        {"batch", batch},
                        {"input", input},
                        {"samples_per_second", double(batch) / timing.seconds},
                        {"gflop_per_sample", 1e-9 * flops / double(batch)}};
  report.add(std::move(row), timing, flops);
}

void measure_retriever(Report& report, const Flags& flags, const Options& options, const Captions& captions) {
  const std::vector<int64_t> vocabulary = {128, 128, 128, 4};
  const ace::RetrieverOptions sizes = retriever_options(options.model, vocabulary);
  Training training(sizes, flags.seed(), flags.precision(), flags.machine.on());
  for (const int64_t batch : options.batch) {
    const Tensor identifiers = draw_tokens(batch, vocabulary, flags.seed());
    const int64_t parts = std::min(options.parts, batch);
    const auto measure = [&](const Texts& texts, const std::string& input) {
      const Timing timing = time_steps(report, flags.machine.on(),
                                       [&](int64_t count) { training.steps(count, texts, identifiers, parts); });
      add_row(report, "retriever", batch, input, timing, training_flops(sizes, texts));
    };
    measure(equal_texts(batch, options.tokens, options.model.vocabulary, flags.seed()),
            fmt::format("{} pieces", options.tokens));
    const Texts drawn = captions.draw(batch, flags.seed());
    measure(drawn, fmt::format("captions, {:.1f} on average", mean_length(drawn)));
  }
}

void measure_rqvae(Report& report, const Flags& flags, const Options& options) {
  const ace::Settings::RqVae settings;
  std::vector<int64_t> widths = {options.item_width};
  widths.insert(widths.end(), settings.hidden.begin(), settings.hidden.end());
  widths.push_back(settings.latent);
  nn::Initializer init(flags.seed(), tensor::DType::f32, flags.precision());
  const ace::RqVae model(widths, settings.codebooks, settings.entries, init);
  nn::move(nn::parameters(model), flags.machine.on());
  nn::Adam adam(nn::parameters(model));
  const nn::Variable x(clustered_vectors(options.rqvae_batch, options.item_width, flags.seed()).to(flags.machine.on()));
  const Timing timing = time_steps(report, flags.machine.on(), [&](int64_t count) {
    for (int64_t step = 0; step < count; ++step) {
      model.forward(x, settings.alpha, settings.beta).loss.backward();
      adam.step(rate);
    }
  });
  add_row(report, "rq-vae", options.rqvae_batch, fmt::format("vectors of {}", options.item_width), timing,
          rqvae_flops(widths, settings.codebooks, settings.entries, options.rqvae_batch));
}

int train(const Flags& flags, const Options& options) {
  if (flags.precision() == kernels::Precision::int8)
    fail_usage("--precision: int8 is for search and kernels, not train");
  check_model_options(options.model);
  check_range("--batch", options.batch, 1, 65536);
  check_range("--tokens", {options.tokens}, 1, 4096);
  check_range("--parts", {options.parts}, 1, 65536);
  check_range("--item-width", {options.item_width}, 1, 65536);
  check_range("--rqvae-batch", {options.rqvae_batch}, 1, 1000000);
  const Captions captions(options.captions, options.model.vocabulary, flags.seed());
  Report report(flags, "train",
                {{"work", "step"},
                 {"batch", "batch"},
                 {"input", "input"},
                 {"seconds", "time"},
                 {"samples_per_second", "samples/s"},
                 {"gflop", "GFLOP"},
                 {"gflops", "GFLOP/s"},
                 {"share_sgemm", "of sgemm"}});
  measure_retriever(report, flags, options, captions);
  measure_rqvae(report, flags, options);
  return report.print();
}

}  // namespace

void add_train(const CommandLine& program, const Flags& flags) {
  const auto define = [](const CommandLine& scenario, Options& options) {
    scenario.option("--batch", "N", options.batch, "pairs a step; default 64,256");
    scenario.option("--parts", "N", options.parts, "parts that a batch is computed in; default 1");
    scenario.option("--tokens", "N", options.tokens, "pieces of each text of equal length; default 24");
    add_captions_option(scenario, options.captions);
    add_model_options(scenario, options.model);
    scenario.option("--item-width", "N", options.item_width, "RQ-VAE: width of its input; default 1024");
    scenario.option("--rqvae-batch", "N", options.rqvae_batch, "RQ-VAE: items a step; default 2048");
  };
  add_scenario<Options>(program, flags, "train", "training steps of the retriever and of the RQ-VAE", define, train);
}

}  // namespace tools::bench
