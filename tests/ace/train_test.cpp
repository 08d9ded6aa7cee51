#include "ace/train.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <nlohmann/json.hpp>

#include <chrono>
#include <csignal>
#include <sstream>
#include <thread>

#include "ace/search.h"
#include "ace/stop.h"
#include "kernels/backend.h"
#include "nn/optimizer.h"
#include "tensor/allocator.h"
#include "tests/ace/tiny.h"

namespace ace {
namespace {

using nlohmann::json;
using tensor::DType;

json train(Run& run, const Settings& settings, bool resume = false, const Progress& progress = {}) {
  TrainOptions options;
  options.resume = resume;
  return train(run, settings, options, progress);
}

/// The log's lines without what the clock says.
std::vector<json> log_of(const Run& run) {
  std::vector<json> lines;
  std::istringstream text(run.text("log.jsonl"));
  for (std::string line; std::getline(text, line);) {
    lines.push_back(json::parse(line));
    lines.back().erase("pairs_per_second");
  }
  return lines;
}

/// Weights, moments, counters and log are the same bits.
void expect_same_training(const Run& a, const Run& b) {
  for (const char* file : {"checkpoint.safetensors", "retriever.safetensors", "settings.toml"}) {
    EXPECT_TRUE(tiny::bytes(a, file) == tiny::bytes(b, file)) << file;
  }
  EXPECT_EQ(log_of(a), log_of(b));
}

/// Calls `at` when the given step is done.
Progress when(int64_t step, std::function<void()> at) {
  return {[step, at](const ProgressStep& p) {
    if (p.stage == "train" && p.done == step && p.note.starts_with("loss")) at();
  }};
}

/// Trains in a process of its own (the kernels must have one thread, as a fork copies no other), which is killed after
/// `milliseconds`, or when `step` is done; whether it finished.
bool train_in_child(const std::filesystem::path& folder, const Settings& settings, int64_t milliseconds, int64_t step) {
  const pid_t child = ::fork();
  if (child == 0) {
    int status = 1;
    try {
      Run run = Run::open(folder);
      train(run, settings, run.has("checkpoint.safetensors"), when(step, [] { ::raise(SIGKILL); }));
      status = 0;
    } catch (const std::exception& error) {
      std::fprintf(stderr, "%s\n", error.what());
    }
    ::_exit(status);
  }
  if (milliseconds > 0) {
    std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds));
    ::kill(child, SIGKILL);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_TRUE(WIFSIGNALED(status) || WEXITSTATUS(status) == 0);
  return WIFEXITED(status);
}

TEST(Train, KilledAndResumedItGoesOnBitForBit) {
  const tiny::Runs runs;
  Settings settings = tiny::settings();
  settings.train.epochs = 3, settings.train.checkpoint_steps = 3;  // 24 steps
  ace::Run whole = runs.copy("whole");
  train(whole, settings);

  // At given steps: before the first checkpoint, right after one, between two, in the last epoch.
  ace::Run given = runs.copy("given");
  for (const int64_t step : {2, 4, 11, 23}) train_in_child(given.folder(), settings, 0, step);
  given = Run::open(given.folder());
  train(given, settings, true);
  expect_same_training(whole, given);

  // At any moment: inside a step, a measurement or a commit.
  tensor::Random random(1);
  ace::Run random_run = runs.copy("random");
  for (int kill = 0; kill < 12; ++kill) {
    if (train_in_child(random_run.folder(), settings, 5 + random.below(120), -1)) break;
  }
  random_run = Run::open(random_run.folder());
  train(random_run, settings, random_run.has("checkpoint.safetensors"));
  expect_same_training(whole, random_run);
}

TEST(Train, ASignalEndsItWithACheckpointFromWhichItGoesOnBitForBit) {
  const tiny::Runs runs;
  const Settings settings = tiny::settings();
  ace::Run whole = runs.copy("whole"), stopped = runs.copy("stopped");
  train(whole, settings);
  for (const int64_t step : {1, 5, 8, 13}) {
    const json result = train(stopped, settings, step > 1, when(step, [] { stop_signal() = SIGTERM; }));
    stop_signal() = 0;
    EXPECT_EQ(result["steps"], step);
    EXPECT_EQ(result["finished"], false);
    stopped = Run::open(stopped.folder());
  }
  EXPECT_EQ(train(stopped, settings, true)["finished"], true);
  expect_same_training(whole, stopped);
}

TEST(Train, ASignalBeforeTheFirstStepLeavesACheckpointToo) {
  const tiny::Runs runs;
  ace::Run run = runs.copy("early"), whole = runs.copy("whole");
  stop_signal() = SIGINT;
  EXPECT_EQ(train(run, tiny::settings())["finished"], false);
  stop_signal() = 0;
  train(run, tiny::settings(), true);
  train(whole, tiny::settings());
  expect_same_training(whole, run);
}

TEST(Train, TheSameSeedTwiceGivesTheSameBitsAndAnotherSeedOthers) {
  const tiny::Runs runs;
  Settings settings = tiny::settings();
  ace::Run a = runs.copy("a"), b = runs.copy("b"), c = runs.copy("c");
  train(a, settings);
  train(b, settings);
  expect_same_training(a, b);
  settings.seed = 2;
  train(c, settings);
  EXPECT_NE(tiny::bytes(a, "retriever.safetensors"), tiny::bytes(c, "retriever.safetensors"));
}

TEST(Train, TheNumberOfThreadsChangesTheLossByRoundingAlone) {
  const tiny::Runs runs;
  Settings settings = tiny::settings();
  settings.model.width = 32, settings.train.epochs = 3;  // 24 steps
  std::vector<double> losses;
  for (const int threads : {1, 2}) {
    kernels::set_threads(threads);
    ace::Run run = runs.copy("threads" + std::to_string(threads));
    const json result = train(run, settings, false, when(20, [] { stop_signal() = SIGTERM; }));
    stop_signal() = 0;
    losses.push_back(result["loss"]);
  }
  EXPECT_NEAR(losses[1], losses[0], 1e-4);
}

TEST(Train, ResumingNeedsACheckpointAndStartingNeedsNone) {
  const tiny::Runs runs;
  ace::Run run = runs.copy("run");
  const std::string folder = run.folder().string();
  EXPECT_EQ(message_of([&] { train(run, tiny::settings(), true); }),
            "run: " + folder + " has no checkpoint to resume from");
  train(run, tiny::settings());
  EXPECT_EQ(message_of([&] { train(run, tiny::settings()); }),
            "run: " + folder + " is trained already, or in part; go on with --resume, or identify anew");
}

/// What is said of a checkpoint one of whose numbers was changed.
std::string message_with(Run& run, const char* name, const json& value) {
  const tensor::Safetensors stored = tensor::read_safetensors(run.path("checkpoint.safetensors"));
  json state = json::parse(stored.metadata.at("state"));
  state[name] = value;
  const std::string before = tiny::bytes(run, "checkpoint.safetensors");
  run.commit({{"checkpoint.safetensors", tensor::safetensors_bytes(stored.tensors, {{"state", state.dump()}})}});
  const std::string message = message_of([&] { train(run, tiny::settings(), true); });
  run.commit({{"checkpoint.safetensors", before}});
  const std::string start = run.path("checkpoint.safetensors").string() + ": state: ";
  EXPECT_TRUE(message.starts_with(start)) << message;
  return message.substr(std::min(start.size(), message.size()));
}

TEST(Train, ACheckpointThatNoTrainingWroteIsRefused) {
  const tiny::Runs runs;
  ace::Run run = runs.copy("run");
  train(run, tiny::settings(), false, when(5, [] { stop_signal() = SIGTERM; }));  // of 16 steps
  stop_signal() = 0;
  for (const json& step : {json(-1), json(17), json(UINT64_MAX), json(1e300), json(2.5), json("5"), json()}) {
    EXPECT_EQ(message_with(run, "step", step), "step: expected an integer from 0 to 16, found " + step.dump());
  }
  for (const char* name : {"best_step", "loss_steps"}) {
    for (const json& value : {json(-1), json(6)}) {
      EXPECT_EQ(message_with(run, name, value),
                fmt::format("{}: expected an integer from 0 to 5, found {}", name, value.dump()));
    }
  }
  for (const json& value : {json(-1), json(4)}) {
    EXPECT_EQ(message_with(run, "adam_steps", value),
              "adam_steps: expected an integer from 5 to 5, found " + value.dump());
  }
  EXPECT_EQ(message_with(run, "skipped_steps", 5), "skipped_steps: expected an integer from 0 to 0, found 5");
  EXPECT_EQ(message_with(run, "loss_scale", 0), "loss_scale: expected a number from 1 to 1, found 0");
  EXPECT_EQ(message_with(run, "best_mrr", 1e9), "best_mrr: expected a number from -1 to 1, found 1000000000.0");
  EXPECT_EQ(message_with(run, "best_mrr", -0.5), "best_mrr: expected -1 or 0 to 1, found -0.5");
  EXPECT_NE(message_with(run, "loss", json()).find("loss: expected a number"), std::string::npos);
  EXPECT_EQ(train(run, tiny::settings(), true)["finished"], true) << "as it was written it is right";
}

TEST(Train, ACheckpointsTensorsMustBeFiniteAndSecondMomentsNotNegative) {
  const tiny::Runs runs;
  ace::Run run = runs.copy("run");
  train(run, tiny::settings(), false, when(2, [] { stop_signal() = SIGTERM; }));
  stop_signal() = 0;
  const tensor::Safetensors stored = tensor::read_safetensors(run.path("checkpoint.safetensors"));
  const auto message = [&](const std::string& name, float value) {
    auto tensors = stored.tensors;
    tensor::Tensor& broken = tensors.at(name) = tensors.at(name).clone();
    broken.data<float>()[0] = value;
    run.commit({{"checkpoint.safetensors", tensor::safetensors_bytes(tensors, stored.metadata)}});
    return message_of([&] { train(run, tiny::settings(), true); });
  };
  const std::string file = run.path("checkpoint.safetensors").string();
  EXPECT_EQ(message("heads.1.weight", NAN), file + ": heads.1.weight holds a value that is not finite");
  EXPECT_EQ(message("first.heads.1.weight", INFINITY),
            file + ": first.heads.1.weight holds a value that is not finite");
  EXPECT_EQ(message("second.heads.1.weight", -1), file + ": second.heads.1.weight: expected at least 0, found -1");
}

TEST(Train, AFinishedTrainingResumedStaysAsItIs) {
  const tiny::Runs runs;
  ace::Run run = runs.copy("run"), other = runs.copy("other");
  const json first = train(run, tiny::settings());
  train(other, tiny::settings());
  const json again = train(run, tiny::settings(), true);
  for (const char* fact : {"steps", "epochs", "finished", "loss", "best_step", "best_dev_mrr@10"}) {
    EXPECT_EQ(again[fact], first[fact]) << fact;
  }
  expect_same_training(run, other);
}

TEST(Train, SettingsThatWouldInvalidateWhatExistsAreRefused) {
  const tiny::Runs runs;
  ace::Run run = runs.copy("run");
  Settings settings = tiny::settings();
  settings.kmeans.clusters = 16;
  EXPECT_EQ(message_of([&] { train(run, settings); }), "kmeans.clusters: the run " + run.folder().string() +
                                                           " has 8, found 16; it cannot be changed after identify");
  train(run, tiny::settings());
  const auto refused = [&](const char* assignment) {
    Settings changed = tiny::settings();
    set(changed, assignment);
    const std::string message = message_of([&] { train(run, changed, true); });
    EXPECT_TRUE(message.ends_with("it cannot be changed on --resume")) << assignment << ": " << message;
  };
  for (const char* assignment : {"seed=2", "model.width=32", "train.batch=32", "train.epochs=4", "train.omega=0",
                                 "model.gate=sigmoid", "train.accumulate=2"}) {
    refused(assignment);
  }
  Settings search = tiny::settings();
  search.search.batch = 7;  // shapes no step
  EXPECT_NO_THROW(train(run, search, true));
}

TEST(Train, AChangedCorpusIsRefusedAndAMovedOneIsFoundWhereItIsNamed) {
  const tiny::Runs runs;
  ace::Run run = runs.copy("run");
  const auto corpus = runs.scratch.path() / "corpus", moved = runs.scratch.path() / "moved",
             other = runs.scratch.path() / "other";
  std::filesystem::rename(corpus, moved);
  EXPECT_EQ(message_of([&] { train(run, tiny::settings()); }),
            "run: its corpus " + corpus.string() + " is not there any more; name its place with --corpus");
  write_corpus(other, make_sample(100, 2));
  TrainOptions options;
  options.corpus = other;
  const std::string message = message_of([&] { train(run, tiny::settings(), options, {}); });
  EXPECT_TRUE(message.starts_with(other.string() + ": this is not the corpus that the run was made from")) << message;
  options.corpus = moved;
  EXPECT_EQ(train(run, tiny::settings(), options, {})["finished"], true);

  std::filesystem::rename(moved, corpus);
  std::ofstream(corpus / "queries.jsonl", std::ios::app) << "{\"_id\": \"new\", \"text\": \"one more\"}\n";
  ace::Run again = runs.copy("again");
  EXPECT_NE(message_of([&] { train(again, tiny::settings()); }).find("expected checksum"), std::string::npos);
  EXPECT_FALSE(again.has("checkpoint.safetensors"));
}

TEST(Train, AccumulatedBatchesMakeTheSameStepAsOne) {
  const tiny::Runs runs;
  Settings settings = tiny::settings();
  settings.model.dropout = 0, settings.train.epochs = 1;
  std::vector<std::map<std::string, tensor::Tensor>> weights;
  for (const int64_t parts : {1, 2, 5}) {
    settings.train.accumulate = parts;
    ace::Run run = runs.copy("parts" + std::to_string(parts));
    train(run, settings, false, when(3, [] { stop_signal() = SIGTERM; }));
    stop_signal() = 0;
    weights.push_back(tensor::read_safetensors(run.path("checkpoint.safetensors")).tensors);
  }
  for (size_t i = 1; i < weights.size(); ++i) {
    for (const auto& [name, expected] : weights[0]) {
      if (!name.starts_with("first.")) continue;  // 0.1 Σ 0.9^k of the gradients: linear in them
      const auto a = expected.values<float>(), b = weights[i].at(name).values<float>();
      double difference = 0, size = 0;
      for (size_t k = 0; k < a.size(); ++k) {
        difference += std::pow(double(a[k]) - double(b[k]), 2);
        size += std::pow(double(a[k]), 2);
      }
      EXPECT_LE(std::sqrt(difference), 1e-3 * std::sqrt(size) + 1e-6) << name;
    }
  }
}

/// Weights that training has after `steps` steps.
std::string weights_after(const tiny::Runs& runs, const Settings& settings, int64_t steps) {
  ace::Run run = runs.copy("after" + std::to_string(steps));
  train(run, settings, false, when(steps, [] { stop_signal() = SIGTERM; }));
  stop_signal() = 0;
  const Searcher searcher(run, settings);
  auto tensors = tensor::read_safetensors(run.path("checkpoint.safetensors")).tensors;
  std::erase_if(tensors, [](const auto& t) { return t.first.starts_with("first.") || t.first.starts_with("second."); });
  return tensor::safetensors_bytes(tensors);
}

TEST(Train, TheBestWeightsByDevMrrAreKept) {
  const tiny::Runs runs;
  Settings settings = tiny::settings();
  settings.train.rate = 1e-12, settings.train.first_rate = 0;  // nothing is learned: every epoch measures the same
  settings.train.epochs = 3;
  ace::Run run = runs.copy("run");
  const json result = train(run, settings);
  std::vector<double> mrr;
  for (const json& line : log_of(run)) {
    if (line.contains("dev_mrr@10")) mrr.push_back(line["dev_mrr@10"]);
  }
  ASSERT_EQ(mrr.size(), 3u);
  EXPECT_EQ(mrr[0], mrr[2]);
  EXPECT_EQ(result["best_step"], 24) << "the last of equals";
  EXPECT_EQ(result["best_dev_mrr@10"], mrr[0]);
  EXPECT_TRUE(tiny::bytes(run, "retriever.safetensors") == weights_after(runs, settings, 24));
  EXPECT_FALSE(tiny::bytes(run, "retriever.safetensors") == weights_after(runs, settings, 8));
}

TEST(Train, WhileItLearnsTheBestIsTheHighestOfTheLog) {
  const tiny::Runs runs;
  Settings settings = tiny::settings();
  settings.model.width = 32, settings.train.epochs = 12, settings.train.rate = 1e-2, settings.search.beam = 20;
  ace::Run run = runs.copy("run");
  const json result = train(run, settings);
  double best = -1;
  int64_t best_step = 0;
  for (const json& line : log_of(run)) {
    if (!line.contains("dev_mrr@10") || line["dev_mrr@10"] < best) continue;
    best = line["dev_mrr@10"], best_step = line["step"];
  }
  EXPECT_EQ(result["best_dev_mrr@10"], best);
  EXPECT_EQ(result["best_step"], best_step);
  EXPECT_GT(best, 0.05) << "chance is 0.03";
  const std::vector<json> log = log_of(run);
  EXPECT_LT(log[log.size() - 2]["loss"], 0.8 * log[0]["loss"].get<double>());
}

TEST(Train, WithoutDevQueriesTheLastWeightsAreKept) {
  const TemporaryFolder scratch;
  Corpus corpus = make_sample(100, 1);
  corpus.judgements[size_t(Split::dev)].clear();
  write_corpus(scratch.path() / "corpus", corpus);
  ace::Run run = identify(load_corpus(scratch.path() / "corpus"), tiny::settings(), scratch.path() / "run", {});
  const json result = train(run, tiny::settings());
  EXPECT_EQ(result["dev_queries"], 0);
  EXPECT_EQ(result["best_step"], result["steps"]);
  EXPECT_TRUE(result["best_dev_mrr@10"].is_null());
  const auto best = tensor::read_safetensors(run.path("retriever.safetensors"));
  const auto last = tensor::read_safetensors(run.path("checkpoint.safetensors"));
  for (const auto& [name, x] : best.tensors) {
    EXPECT_TRUE(std::ranges::equal(x.values<float>(), last.at(name).values<float>())) << name;
  }
}

TEST(Train, TextsThatAreTooLongAreCutAndCounted) {
  const tiny::Runs runs;
  Settings settings = tiny::settings();
  settings.train.epochs = 1, settings.tokenizer.max_tokens = 256;
  ace::Run whole = runs.copy("whole"), cut = runs.copy("cut");
  EXPECT_EQ(train(whole, settings)["cut_texts"], 0);
  settings.tokenizer.max_tokens = 3;
  settings.train.dev_queries = 1;
  const int64_t with_one = train(cut, settings)["cut_texts"];
  EXPECT_GT(with_one, 0);
  settings.train.dev_queries = 0;
  ace::Run all = runs.copy("all");
  EXPECT_GT(train(all, settings)["cut_texts"], with_one) << "dev queries are cut as well";
}

TEST(Train, ALossThatIsNoNumberEndsInOneErrorAndLeavesTheRunAsItWas) {
  const tiny::Runs runs;
  Settings settings = tiny::settings();
  // Moments of 10 a step: within a few steps the scores overflow.
  settings.train.rate = 10, settings.train.clip = 0, settings.train.epochs = 200, settings.train.optimizer = "adamw";
  settings.train.weight_decay = 10, settings.train.evaluate_epochs = 0, settings.train.checkpoint_steps = 1000000;
  ace::Run run = runs.copy("run");
  const std::string manifest = tensor::read_file(run.folder() / "manifest.json");
  const std::string message = message_of([&] { train(run, settings); });
  EXPECT_TRUE(message.starts_with("train: the ") && message.ends_with("; a smaller train.rate may help")) << message;
  EXPECT_EQ(tensor::read_file(run.folder() / "manifest.json"), manifest);
  EXPECT_FALSE(Run::open(run.folder()).has("checkpoint.safetensors"));
}

int64_t resident_bytes() {
  std::ifstream file("/proc/self/statm");
  int64_t size = 0, resident = 0;
  file >> size >> resident;
  return resident * ::sysconf(_SC_PAGESIZE);
}

TEST(Train, AStepLikeTheOnesBeforeAsksTheSystemForNoMemory) {
  const tiny::Runs runs;
  Settings settings = tiny::settings();
  settings.train.epochs = 20, settings.train.evaluate_epochs = 0, settings.train.checkpoint_steps = 1000000;
  std::map<int64_t, int64_t> allocations, resident;
  ace::Run run = runs.copy("run");
  train(run, settings, false, {[&](const ProgressStep& p) {
          allocations[p.done] = tensor::allocator().statistics().system_allocations;
          resident[p.done] = resident_bytes();
        }});
  ASSERT_EQ(allocations.rbegin()->first, 160);
  // Batches differ in their number of tokens; after some epochs every size has been seen.
  EXPECT_EQ(allocations[100], allocations[150]);
#if !defined(__SANITIZE_ADDRESS__)  // which keeps freed blocks for a while, and so grows
  EXPECT_LT(resident[150], resident[100] + (1 << 20));
#endif
  EXPECT_LT(allocations[150], 2 * allocations[5]) << "most sizes are seen in the first steps";
}

}  // namespace
}  // namespace ace
