#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <cmath>
#include <csignal>

#include "ace/learner.h"
#include "ace/rqvae.h"
#include "ace/search.h"
#include "ace/stop.h"
#include "ace/train.h"
#include "nn/optimizer.h"
#include "tests/ace/tiny.h"
#include "tests/cuda/rooms/device.h"

/// From a corpus to found items on a device, beside the same on the CPU.
namespace ace {
namespace {

using nlohmann::json;
using on_device::expect_same_order;
using tensor::Device;

using Beams = std::vector<std::vector<Hypothesis>>;
void expect_same_beams(const Beams& found, const Beams& expected, double limit) {
  ASSERT_EQ(found.size(), expected.size());
  for (size_t q = 0; q < found.size(); ++q) {
    SCOPED_TRACE(testing::Message() << "query " << q);
    expect_same_order(found[q], expected[q], limit, [](const Hypothesis& h) { return std::pair(h.tokens, h.item); });
  }
}

/// What training steps lead to: their losses, and what is found for the texts afterwards.
struct Learned {
  std::vector<double> losses;
  Beams beams;
};
Learned learn(Device device, int steps, double rate, kernels::Precision precision = kernels::Precision::full) {
  nn::Initializer init(1, tensor::DType::f32, precision);
  const Retriever model(tiny::sizes({6, 5, 4}), init);
  nn::move(nn::parameters(model), device);
  nn::Adam::Options options;
  if (precision == kernels::Precision::f16) options.scale = kernels::LossScale();
  nn::Adam adam(nn::parameters(model), options);
  tensor::Random random(3);
  const auto texts = tiny::draw_queries(6, 7, random);
  const Identifiers table = tiny::draw_table({6, 5, 4}, 40, random);
  Learned result;
  for (int step = 0; step < steps; ++step) {
    nn::Pass pass(0.1, 1, uint64_t(step), device);
    const Objective o = objective(model, texts, table.tokens.range(0, 6), 1.0, pass);
    const tensor::Tensor& value = o.loss.value();
    o.loss.backward(tensor::full(value.shape(), value.dtype(), adam.progress().scale, device));
    adam.step(rate, 1.0);
    result.losses.push_back(value.item());
  }
  EXPECT_EQ(adam.progress().taken + adam.progress().skipped, steps);
  result.beams = beam_search(model, nn::TextBatch::pack(texts), Trie(table), {4, true});
  return result;
}
void expect_same_losses(const Learned& found, const Learned& expected, double limit) {
  for (size_t i = 0; i < expected.losses.size(); ++i) {
    EXPECT_NEAR(found.losses[i], expected.losses[i], limit) << "step " << i;
  }
}

TEST(RoomRetriever, LearnsInFiftyStepsAndThenFindsAsOnTheCpu) {
  SKIP_WITHOUT_DEVICE();
  const int steps = on_device::simulated() ? 6 : 50;
  const Learned expected = learn(Device::cpu, steps, 5e-3), found = learn(Device::cuda, steps, 5e-3);
  EXPECT_LT(expected.losses.back(), 0.9 * expected.losses.front()) << "the test could not fail";
  expect_same_losses(found, expected, 1e-4);
  expect_same_beams(found.beams, expected.beams, 1e-4);  // of weights that differ
}

TEST(RoomRetriever, LearnsInF16WithAScaledLoss) {
  SKIP_WITHOUT_DEVICE();
  expect_same_losses(learn(Device::cuda, 4, 5e-3, kernels::Precision::f16), learn(Device::cpu, 4, 5e-3), 5e-3);
}

TEST(RoomRetriever, LearnsInBf16) {
  SKIP_WITHOUT_DEVICE();
  expect_same_losses(learn(Device::cuda, 4, 5e-3, kernels::Precision::bf16), learn(Device::cpu, 4, 5e-3), 4e-2);
}

TEST(RoomRetriever, FindsTheSameBeams) {
  SKIP_WITHOUT_DEVICE();
  tensor::Random random(5);
  const std::vector<int64_t> vocabulary = {6, 5, 4};
  const Retriever model = tiny::retriever(tiny::sizes(vocabulary), 2);
  const Trie trie(tiny::draw_table(vocabulary, 40, random));
  const auto text = nn::TextBatch::pack(tiny::draw_queries(4, 6, random));
  for (const bool constrained : {true, false}) {
    nn::move(nn::parameters(model), Device::cpu);
    const auto expected = beam_search(model, text, trie, {4, constrained});
    nn::move(nn::parameters(model), Device::cuda);
    const auto found = beam_search(model, text, trie, {4, constrained});
    expect_same_beams(found, expected, 1e-5);
  }
}

/// A learner's parameters and losses after some batches, steps done by graphs or op by op.
std::string learned(bool graphs, kernels::Precision precision) {
  nn::Initializer init(1, tensor::DType::f32, precision);
  const Retriever model(tiny::sizes({6, 5, 4}), init);
  const nn::Parameters parameters = nn::parameters(model);
  nn::move(parameters, Device::cuda);
  Learner::Options options{0.1, 1.0, 1.0, 1, {}};
  if (precision == kernels::Precision::f16) options.adam.scale = {65536, 1, 65536, 2};
  Learner learner(model, options);
  tensor::Random random(3);
  const tensor::Tensor identifiers = tiny::draw_table({6, 5, 4}, 12, random).tokens;
  const auto texts = tiny::draw_queries(16, 3, random);
  const auto prepare = [&](int64_t step) {
    const int64_t first = step % 2, count = step == 2 ? 1 : 3;  // other numbers of the same form, or another form
    learner.prepare(std::span(texts).subspan(size_t(first), size_t(count)), identifiers.range(first, first + count),
                    uint64_t(step), 1e-3 * double(step + 1));
  };
  std::map<std::string, tensor::Tensor> result;
  prepare(0);
  for (int64_t step = 0; step < 5; ++step) {
    prepare(step + 1);
    const tensor::Tensor loss = graphs ? learner.step() : learner.add(1);
    if (!graphs) learner.finish(1e-3 * double(step + 1));
    result[fmt::format("loss {}", step)] = loss.to(Device::cpu);
  }
  result.merge(nn::to_tensors(parameters));
  result.merge(learner.adam().state());
  return tensor::safetensors_bytes(result);
}

TEST(RoomRetriever, LearnsByGraphsBitForBitAsWithoutThem) {
  SKIP_WITHOUT_DEVICE();
  for (const auto precision : {kernels::Precision::full, kernels::Precision::f16}) {
    EXPECT_TRUE(learned(true, precision) == learned(false, precision));
  }
}

TEST(RoomRetriever, FindsTheSameByGraphsForOtherTextsOfTheSameForm) {
  SKIP_WITHOUT_DEVICE();
  tensor::Random random(6);
  const std::vector<int64_t> vocabulary = {6, 5, 4};
  const Retriever model = tiny::retriever(tiny::sizes(vocabulary), 2);
  const Trie trie(tiny::draw_table(vocabulary, 40, random));
  nn::move(nn::parameters(model), Device::cuda);
  const BeamSearch search(model, trie);
  for (int call = 0; call < 4; ++call) {
    const auto text = nn::TextBatch::pack(tiny::draw_queries(2, 6, random));
    const BeamOptions options{call == 2 ? 5 : 3, true};  // in between another form
    const auto expected = beam_search(model, text, trie, options), found = search(text, options);
    ASSERT_EQ(found.size(), 2u);
    for (size_t q = 0; q < found.size(); ++q) {
      ASSERT_EQ(found[q].size(), expected[q].size());
      for (size_t i = 0; i < found[q].size(); ++i) {
        EXPECT_EQ(found[q][i].tokens, expected[q][i].tokens);
        EXPECT_EQ(found[q][i].score, expected[q][i].score);
      }
    }
  }
}

/// Settings so small that a simulated card gets through.
Settings smallest() {
  Settings settings = tiny::settings();
  settings.kmeans.clusters = 4, settings.kmeans.batch = 64;
  settings.rqvae.min_steps = 3, settings.rqvae.epochs = 1, settings.rqvae.warmup_epochs = 1, settings.rqvae.batch = 64;
  settings.rqvae.redraw_steps = 2;
  settings.train.epochs = 1, settings.train.batch = 256, settings.train.dev_queries = 4;
  settings.search.beam = 3;
  return settings;
}

TEST(RoomRun, StoppedAndResumedItTrainsBitForBitAsAtOnce) {
  SKIP_WITHOUT_DEVICE();
  Settings settings = smallest();
  const tiny::Runs runs(settings);
  settings.device = Device::cuda;
  settings.train.batch = 4, settings.train.omega = 0;
  settings.train.evaluate_epochs = 0, settings.train.checkpoint_steps = 2;
  for (const int64_t parts : {1, 2}) {
    settings.train.accumulate = parts;
    settings.train.precision = parts == 1 ? "f16" : "f32";
    const auto bytes_after = [&](const std::string& name, std::initializer_list<int64_t> stops) {
      ace::Run run = runs.copy(name + std::to_string(parts));
      for (const int64_t step : stops) {
        const Progress progress{[&](const ProgressStep& p) {
          if (p.stage == "train" && p.done == step) stop_signal() = SIGTERM;
        }};
        TrainOptions options;
        options.resume = run.has("checkpoint.safetensors");
        EXPECT_EQ(train(run, settings, options, progress)["steps"], step);
        stop_signal() = 0;
      }
      return tiny::bytes(run, "checkpoint.safetensors");
    };
    EXPECT_TRUE(bytes_after("whole", {5}) == bytes_after("stopped", {3, 5})) << parts;
  }
}

/// Codes stay on the device, where nobody looks at them at each step.
TEST(RoomRqVae, NumbersThatAreNotFiniteEndInOneError) {
  SKIP_WITHOUT_DEVICE();
  Settings::RqVae settings = smallest().rqvae;
  settings.first_rate = settings.rate = 1e30;
  const tensor::Tensor x({100, 8}, tensor::DType::f32);
  tensor::Random random(1);
  for (float& value : x.values<float>()) value = float(random.normal());
  const std::string message = message_of([&] { fit_rqvae(Rows(x).on(Device::cuda), settings, 1, {}); });
  EXPECT_TRUE(message.starts_with("rqvae: the loss is ")) << message;
}

/// Gradients of rows this large overflow f16 until the loss's scale has come down.
TEST(RoomRqVae, ScalesItsLossInF16) {
  SKIP_WITHOUT_DEVICE();
  Settings::RqVae settings = smallest().rqvae;
  settings.min_steps = settings.epochs = 10, settings.warmup_epochs = 0, settings.kmeans_init = false;
  const tensor::Tensor x({16, 8}, tensor::DType::f32);
  tensor::Random random(1);
  for (float& value : x.values<float>()) value = 100 * float(random.normal());
  const RqVaeFit wide = fit_rqvae(Rows(x).on(Device::cuda), settings, 1, {});
  settings.precision = "f16";
  const RqVaeFit narrow = fit_rqvae(Rows(x).on(Device::cuda), settings, 1, {});
  EXPECT_EQ(wide.skipped, 0);
  EXPECT_GT(narrow.skipped, 0);
  EXPECT_LT(narrow.skipped, narrow.steps);
  EXPECT_LT(std::abs(narrow.reconstruction - wide.reconstruction), 0.05 * wide.variance);
}

/// The whole program's way.
TEST(RoomRun, IsIdentifiedTrainedAndSearched) {
  SKIP_WITHOUT_DEVICE();
  Settings settings = smallest();
  settings.train.precision = "f16";
  const tiny::OneThread one;
  const TemporaryFolder scratch;
  Corpus corpus = make_sample(100, 1);
  corpus.judgements[size_t(Split::train)].resize(100);  // for the time it takes
  write_corpus(scratch.path() / "corpus", corpus);
  corpus = load_corpus(scratch.path() / "corpus");
  std::vector<json> reports;
  std::vector<ace::Run> runs;
  for (const Device device : {Device::cpu, Device::cuda}) {
    settings.device = device;
    runs.push_back(identify(corpus, settings, scratch.path() / tensor::name_of(device), {}));
    reports.push_back(json::parse(runs.back().quality_json));
  }
  EXPECT_NEAR(reports[1]["inertia"], reports[0]["inertia"], 1e-4 * double(reports[0]["inertia"]));
  EXPECT_NEAR(reports[1]["reconstruction"], reports[0]["reconstruction"], 1e-3);

  const json trained = train(runs[1], settings, {}, {});
  EXPECT_EQ(trained["finished"], true);
  EXPECT_EQ(trained["skipped_steps"], 0);
  EXPECT_TRUE(std::isfinite(double(trained["loss"])));
  const std::vector<std::string> queries = {"a red circle", "two blue squares"};
  const auto there = Searcher(runs[1], settings).search(queries, 3, 3);
  settings.device = Device::cpu;  // a run knows nothing of the device that made it
  const auto here = Searcher(runs[1], settings).search(queries, 3, 3);
  settings.device = Device::cuda, settings.search.precision = "f16";
  const auto narrow = Searcher(runs[1], settings).search(queries, 3, 3);
  for (size_t q = 0; q < queries.size(); ++q) {
    expect_same_order(there[q], here[q], 1e-4, &Searcher::Result::item);
    expect_same_order(narrow[q], here[q], 2e-2, &Searcher::Result::item);
  }
}

}  // namespace
}  // namespace ace
