#include "ace/run.h"

#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <csignal>
#include <random>
#include <thread>

#include "ace/manifest.h"
#include "tensor/npy.h"
#include "tests/files.h"

namespace ace {
namespace {

namespace fs = std::filesystem;
using Files = std::map<std::string, std::string>;
using tensor::Tensor;

Files small_run() {
  return {{"settings.toml", "[kmeans]\nclusters = 4\n"},
          {"items.jsonl",
           Run::items_jsonl({{"a", "train", "A", "", ""}, {"b", "", "", "", "b.jpg"}, {"c", "", "", "", ""}})},
          {"identifiers.npy", tensor::npy_bytes(Tensor::of<int32_t>({3, 2}, {0, 0, 3, 0, 3, 1}))},
          {"identifiers.json", Run::identifiers_json({4, 2}, "data/corpus", "0123456789abcdef", "{\"items\": 3}")}};
}

/// All regular files of a folder by name.
Files contents(const fs::path& folder) {
  Files files;
  for (const auto& entry : fs::directory_iterator(folder)) files[entry.path().filename()] = get(entry.path());
  return files;
}

class RunTest : public testing::Test {
 protected:
  using Run = ace::Run;  // not the member of testing::Test
  RunTest() { Run::create(folder(), small_run()); }
  fs::path folder() const { return folder_ / "run"; }
  std::string fault() {
    const std::string message = message_of([&] { Run::open(folder()); }), name = folder().string();
    EXPECT_TRUE(message.starts_with(name)) << "\"" << message << "\"";
    return message.substr(std::min(name.size() + 1, message.size()));
  }
  /// What a run with this file is refused for, after the name of the folder it was built in.
  std::string refused(const std::string& name, const std::string& bytes) {
    Files files = small_run();
    files[name] = bytes;
    const std::string message = message_of([&] { Run::create(folder_ / "other", files); });
    EXPECT_FALSE(fs::exists(folder_ / "other"));
    return message.substr(message.rfind('/') + 1);
  }
  TemporaryFolder folder_;
};

TEST_F(RunTest, HoldsWhatItWasMadeOf) {
  const Run run = Run::open(folder());
  EXPECT_EQ(run.settings.kmeans.clusters, 4);
  ASSERT_EQ(run.items.size(), 3u);
  EXPECT_EQ(run.items[0].title, "A");
  EXPECT_EQ(run.items[1].path, "b.jpg");
  EXPECT_EQ(run.identifiers.vocabulary, (std::vector<int64_t>{4, 2}));
  EXPECT_EQ(run.identifiers.row(2)[1], 1);
  EXPECT_EQ(run.corpus_path, "data/corpus");
  EXPECT_EQ(run.corpus_checksum, "0123456789abcdef");
  EXPECT_EQ(run.quality_json, "{\"items\":3}");
  EXPECT_TRUE(run.has("items.jsonl"));
  EXPECT_FALSE(run.has("tokenizer.tsv"));
  EXPECT_EQ(run.text("settings.toml"), small_run().at("settings.toml"));
}

TEST_F(RunTest, NamesTheVerbThatMakesAMissingFile) {
  const Run run = Run::open(folder());
  EXPECT_EQ(message_of([&] { run.path("retriever.safetensors"); }),
            folder().string() + ": retriever.safetensors is not there yet: `ace train` makes it");
  EXPECT_TRUE(fails_with("a run has no file \"../x\"", [&] { run.path("../x"); }));
}

TEST_F(RunTest, CreateNeverReplacesAndLeavesNothingBehindWhenItFails) {
  EXPECT_TRUE(fails_with("run: exists already", [&] { Run::create(folder(), small_run()); }));
  Files files = small_run();
  files["../x"] = "";
  EXPECT_TRUE(fails_with("a run has no file \"../x\"", [&] { Run::create(folder_ / "other", files); }));
  files = small_run();
  files.erase("items.jsonl");
  EXPECT_TRUE(fails_with("items.jsonl is not there yet", [&] { Run::create(folder_ / "other", files); }));
  EXPECT_EQ(contents(folder()).size(), 5u);
  fs::remove_all(folder());
  EXPECT_TRUE(fs::is_empty(folder_.path()));
}

TEST_F(RunTest, PartsThatDoNotAgreeAreRefused) {
  const auto table = [](Tensor x) { return tensor::npy_bytes(x); };
  const std::string shape = "identifiers.npy: expected int32 [3, 2] (items, positions), found ";
  EXPECT_EQ(refused("identifiers.npy", table(Tensor::of<int32_t>({2, 2}, {0, 0, 1, 1}))), shape + "int32 [2, 2]");
  EXPECT_EQ(refused("identifiers.npy", table(tensor::zeros({3, 2}, tensor::DType::i64))), shape + "int64 [3, 2]");
  EXPECT_EQ(refused("identifiers.npy", table(Tensor::of<int32_t>({3, 2}, {0, 0, 4, 0, 3, 1}))),
            "identifiers.npy: item 1, position 0: expected a token in 0 … 3, found 4");
  EXPECT_EQ(refused("identifiers.npy", table(Tensor::of<int32_t>({3, 2}, {0, 0, 3, -1, 3, 1}))),
            "identifiers.npy: item 1, position 1: expected a token in 0 … 1, found -1");
  EXPECT_EQ(refused("identifiers.npy", table(Tensor::of<int32_t>({3, 2}, {3, 1, 0, 0, 3, 1}))),
            "identifiers.npy: items 0 and 2 have the same identifier [3, 1]");
  EXPECT_EQ(refused("items.jsonl", "{\"_id\": \"a\"}\n{\"_id\": \"a\"}\n"),
            "items.jsonl:2: \"_id\" \"a\" is that of line 1 too");
  const auto sizes = [](const std::string& text) { return "{\"vocabulary\": " + text + "}"; };
  EXPECT_EQ(refused("identifiers.json", sizes("[4, 0]")),
            "identifiers.json: expected vocabulary sizes from 1 to 2147483647, found 0");
  EXPECT_EQ(refused("identifiers.json", sizes("4")), "identifiers.json: expected a list in \"vocabulary\"");
  const std::string members =
      "identifiers.json: expected \"vocabulary\", \"corpus\" with \"path\" and \"checksum\", and \"quality\"";
  for (const char* text :
       {"{}", "[]", "3", "{\"vocabulary\": [4, 2]}", "{\"vocabulary\": [4, 2], \"corpus\": 1}",
        "{\"vocabulary\": [4, 2], \"corpus\": {\"path\": 1, \"checksum\": \"\"}, \"quality\": {}}"}) {
    EXPECT_EQ(refused("identifiers.json", text), members) << text;
  }
  for (const char* quality : {"3", "[]", "{\"codebooks\": 3}", "{\"codebooks\": [{}, 1]}"}) {
    const std::string text = std::string(
                                 "{\"vocabulary\": [4, 2], \"corpus\": {\"path\": \"\", \"checksum\": \"\"}, "
                                 "\"quality\": ") +
                             quality + "}";
    EXPECT_EQ(refused("identifiers.json", text),
              "identifiers.json: expected \"quality\" to be an object, its \"codebooks\" a list of objects");
  }
  EXPECT_TRUE(refused("identifiers.json", "{\"vocabulary\": x").starts_with("identifiers.json: column 16: "));
  EXPECT_TRUE(refused("settings.toml", "[kmeans]\nclusters = \"x\"\n").starts_with("settings.toml:2"));
}

TEST_F(RunTest, ATokenizersErrorsNameItsFolder) {
  Files files = small_run();
  files["tokenizer.tsv"] = "a\n";
  const Run run = Run::create(folder_ / "other", files);
  const std::string message = message_of([&] { run.tokenizer(); });
  EXPECT_TRUE(message.starts_with((folder_ / "other" / "tokenizer.tsv").string() + ":")) << message;
}

TEST_F(RunTest, OtherThingsThanARunAreNamed) {
  EXPECT_EQ(message_of([&] { Run::open(folder_ / "none"); }), (folder_ / "none").string() + ": no such run folder");
  EXPECT_TRUE(fails_with("expected a run folder, found a file", [&] { Run::open(folder() / "items.jsonl"); }));
  fs::create_directory(folder_ / "empty");
  EXPECT_TRUE(fails_with("empty: not a run folder: manifest.json is missing", [&] { Run::open(folder_ / "empty"); }));
  put(folder_ / "empty/corpus.jsonl", "");
  EXPECT_TRUE(fails_with("it is a corpus: `ace identify` makes a run from it", [&] { Run::open(folder_ / "empty"); }));
}

TEST_F(RunTest, AnyChangedByteIsNoticed) {
  for (const auto& [name, bytes] : contents(folder())) {
    std::mt19937 random(5);
    for (size_t at = 0; at < bytes.size(); at += 1 + at / 40) {
      std::string damaged = bytes;
      damaged[at] = char(damaged[at] ^ (1 << random() % 8));
      put(folder() / name, damaged);
      EXPECT_NE(fault(), "") << name << " byte " << at;
    }
    put(folder() / name, bytes);
  }
  EXPECT_EQ(message_of([&] { Run::open(folder()); }), "");
}

TEST_F(RunTest, AMissingShorterOrLongerFileIsNoticed) {
  for (const auto& [name, bytes] : contents(folder())) {
    for (const std::string& other : {bytes.substr(0, bytes.size() - 1), bytes + "\n", std::string()}) {
      put(folder() / name, other);
      EXPECT_NE(fault(), "") << name;
    }
    fs::remove(folder() / name);
    const std::string message = message_of([&] { Run::open(folder()); });
    EXPECT_NE(message.find(name + (name == manifest_name ? " is missing" : ": missing, though")), message.npos)
        << message;
    put(folder() / name, bytes);
  }
  std::string table = get(folder() / "identifiers.npy");
  put(folder() / "identifiers.npy", table + "x");
  EXPECT_EQ(fault(), fmt::format("identifiers.npy: expected {} bytes, found {}: the file is corrupted", table.size(),
                                 table.size() + 1));
  table.back() = 9;
  put(folder() / "identifiers.npy", table);
  EXPECT_TRUE(fault().starts_with("identifiers.npy: checksum differs: expected "));
}

TEST_F(RunTest, TheManifestNamesKnownFilesOnly) {
  const std::string good = get(folder() / manifest_name);
  const auto with = [&](const std::string& name) {
    std::string text = good;
    return text.replace(text.find("items.jsonl"), 11, name);
  };
  put(folder() / "stray", "");
  put(folder() / manifest_name, with("stray"));
  EXPECT_EQ(fault(), "manifest.json: a run has no file \"stray\"");
  put(folder() / manifest_name, with("../run/items.jsonl"));
  EXPECT_EQ(fault(), "manifest.json: a run has no file \"../run/items.jsonl\"");
  put(folder() / manifest_name, good + " ");
  EXPECT_EQ(fault(), "manifest.json: not as it was written: corrupted");
  std::string other = good;
  put(folder() / manifest_name, other.replace(other.find("1"), 1, "2"));
  EXPECT_EQ(fault(), "manifest.json: expected format 1, found 2");
  put(folder() / manifest_name, good);
  EXPECT_EQ(message_of([&] { Run::open(folder()); }), "");  // a stray file does no harm
}

TEST_F(RunTest, OneTrainingAtATime) {
  {
    Run training = Run::open_to_train(folder());
    const Run copy = training;
    training.commit({{"log.jsonl", "{}\n"}});
    EXPECT_EQ(message_of([&] { Run::open_to_train(folder()); }), folder().string() + ": another training runs on it");
    EXPECT_EQ(Run::open(folder()).text("log.jsonl"), "{}\n") << "it can be used meanwhile";
  }
  EXPECT_TRUE(Run::open_to_train(folder()).has("log.jsonl"));
}

TEST_F(RunTest, CreateEndsWhereItsProgressThrows) {
  for (int64_t step = 0; step <= 5; ++step) {
    const Progress stop{[&](const ProgressStep& now) { tensor::check(now.done < step, "stop at {}", now.done); }};
    EXPECT_EQ(message_of([&] { Run::create(folder_ / "other", small_run(), stop); }), fmt::format("stop at {}", step));
    EXPECT_EQ(std::distance(fs::directory_iterator(folder_.path()), {}), 1) << "the other run alone";
  }
}

TEST_F(RunTest, APipeInTheFolderIsRefused) {
  fs::remove(folder() / manifest_name);
  ASSERT_EQ(::mkfifo((folder() / manifest_name).c_str(), 0600), 0);
  EXPECT_EQ(fault(), "manifest.json: expected a regular file");
}

TEST_F(RunTest, CommitReplacesAndAdds) {
  Run run = Run::open(folder());
  run.commit({{"log.jsonl", "{}\n"}, {"settings.toml", "[kmeans]\nclusters = 9\n"}});
  EXPECT_EQ(run.settings.kmeans.clusters, 9);
  EXPECT_TRUE(run.has("log.jsonl"));
  run.commit({{"log.jsonl", "{}\n{}\n"}});
  const Run again = Run::open(folder());
  EXPECT_EQ(again.text("log.jsonl"), "{}\n{}\n");
  EXPECT_EQ(again.settings.kmeans.clusters, 9);
  EXPECT_EQ(contents(folder()).size(), 6u);  // no leftovers
  EXPECT_TRUE(fails_with("a run has no file \"x\"", [&] { run.commit({{"x", ""}}); }));
}

TEST_F(RunTest, CommitsOfTwoHoldersAddUp) {
  Run one = Run::open(folder()), two = Run::open(folder());
  one.commit({{"log.jsonl", "one\n"}});
  two.commit({{"retriever.safetensors", "two"}});
  const Run run = Run::open(folder());
  EXPECT_EQ(run.text("log.jsonl"), "one\n");
  EXPECT_EQ(run.text("retriever.safetensors"), "two");
}

/// The folder as it is on disk after each step of the commit from `before` to `after`, which changes `files`.
std::vector<Files> states_of_a_commit(const Files& before, const Files& after, const std::vector<std::string>& files) {
  std::vector<Files> states = {before};
  const auto next = [&]() -> Files& { return states.emplace_back(states.back()); };
  for (const std::string& name : files) {
    next()[name + ".new"] = after.at(name).substr(0, after.at(name).size() / 2);  // half written
    next()[name + ".new"] = after.at(name);
  }
  const std::string& manifest = after.at(manifest_name);
  next()[std::string(next_manifest_name) + ".new"] = manifest.substr(0, 20);
  next()[std::string(next_manifest_name) + ".new"] = manifest;
  next().erase(std::string(next_manifest_name) + ".new");
  states.back()[next_manifest_name] = manifest;
  for (const std::string& name : files) {
    next().erase(name + ".new");
    states.back()[name] = after.at(name);
  }
  next() = after;
  return states;
}

TEST_F(RunTest, ACrashAtAnyStepLeavesTheOldRunOrTheNewOne) {
  Run run = Run::open(folder());
  run.commit({{"log.jsonl", "old\n"}});
  const Files before = contents(folder());
  run.commit({{"log.jsonl", "new\n"}, {"retriever.safetensors", "weights"}});
  const Files after = contents(folder());
  const std::vector<Files> states = states_of_a_commit(before, after, {"log.jsonl", "retriever.safetensors"});
  ASSERT_EQ(states.size(), 11u);
  for (size_t i = 0; i < states.size(); ++i) {
    fs::remove_all(folder());
    fs::create_directory(folder());
    for (const auto& [name, bytes] : states[i]) put(folder() / name, bytes);
    const bool committed = states[i].contains(next_manifest_name) || states[i] == after;
    EXPECT_EQ(Run::open(folder()).text("log.jsonl"), committed ? "new\n" : "old\n") << "step " << i;
    EXPECT_EQ(contents(folder()), committed ? after : before) << "step " << i;
  }
}

TEST_F(RunTest, AJournalThatCannotBeCompletedIsDropped) {
  const Files before = contents(folder());
  put(folder() / "log.jsonl.new", "{}\n");
  put(folder() / next_manifest_name, "{\"format\": 1, \"fil");
  Run::open(folder());
  EXPECT_EQ(contents(folder()), before);
  Manifest next = parse_manifest(before.at(manifest_name), "manifest");
  next["log.jsonl"] = entry_of("{}\n");
  put(folder() / next_manifest_name, manifest_text(next));
  put(folder() / "log.jsonl.new", "{}");  // not what the journal promises
  Run::open(folder());
  EXPECT_EQ(contents(folder()), before);
}

/// Commits without end; of each commit all files tell the same number.
[[noreturn]] void commit_for_ever(const fs::path& folder, const std::string& big) {
  try {
    Run run = Run::open(folder);
    for (int64_t k = 0;; ++k) {
      const std::string mark = std::to_string(k);
      run.commit({{"log.jsonl", mark}, {"checkpoint.safetensors", big + mark}, {"retriever.safetensors", mark}});
    }
  } catch (...) {
    ::_exit(1);
  }
}

TEST_F(RunTest, AKilledProcessLeavesARunThatOpens) {
  const std::string big(3'000'000, 'x');
  for (int i = 0; i < 8; ++i) {
    const pid_t child = ::fork();
    if (child == 0) commit_for_ever(folder(), big);
    ASSERT_GT(child, 0);
    std::this_thread::sleep_for(std::chrono::milliseconds(20 + 13 * i));
    ::kill(child, SIGKILL);
    int status = 0;
    ::waitpid(child, &status, 0);
    EXPECT_TRUE(WIFSIGNALED(status)) << "the child failed by itself";
    const Run run = Run::open(folder());
    if (!run.has("log.jsonl")) continue;
    EXPECT_EQ(run.text("log.jsonl"), run.text("retriever.safetensors"));
    EXPECT_EQ(run.text("checkpoint.safetensors"), big + run.text("log.jsonl"));
    for (const auto& [name, bytes] : contents(folder())) EXPECT_FALSE(name.ends_with(".new")) << name;
  }
}

TEST_F(RunTest, CanBeOpenedWhileAnotherCommits) {
  std::string writing_failed;
  std::thread writer([&] {
    writing_failed = message_of([&] {
      ace::Run run = ace::Run::open(folder());
      for (int k = 0; k < 20; ++k) run.commit({{"log.jsonl", std::to_string(k)}, {"retriever.safetensors", "x"}});
    });
  });
  for (int k = 0; k < 20; ++k) EXPECT_EQ(message_of([&] { Run::open(folder()); }), "");
  writer.join();
  EXPECT_EQ(writing_failed, "");
  EXPECT_EQ(Run::open(folder()).text("log.jsonl"), "19");
}

TEST_F(RunTest, OnAFullDiskACommitLeavesTheOldRun) {
  const TemporaryFolder disk;
  if (::mount("tmpfs", disk.path().c_str(), "tmpfs", 0, "size=128k") != 0) {
    GTEST_SKIP() << "needs the right to mount a small file system";
  }
  {
    Run run = Run::create(disk / "run", small_run());
    const Files before = contents(disk / "run");
    EXPECT_EQ(message_of([&] {
                run.commit({{"log.jsonl", "x"}, {"retriever.safetensors", std::string(1'000'000, 'x')}});
              }),
              (disk / "run/retriever.safetensors").string() + ": cannot write: No space left on device");
    EXPECT_EQ(contents(disk / "run"), before);
    EXPECT_FALSE(run.has("log.jsonl"));
    EXPECT_TRUE(fails_with("No space left on device", [&] {
      Run::create(disk / "other", {{"log.jsonl", std::string(1'000'000, 'x')}});
    }));
    EXPECT_FALSE(fs::exists(disk / "other"));
  }
  ::umount2(disk.path().c_str(), MNT_DETACH);
}

TEST_F(RunTest, OnAReadOnlyMediumOpensUnlessItMustBeRepaired) {
  Run::open(folder()).commit({{"log.jsonl", "old\n"}});
  const Files before = contents(folder());
  Run::open(folder()).commit({{"log.jsonl", "new\n"}});
  const Files after = contents(folder());
  const TemporaryFolder disk;
  const auto mount_read_only = [&](const Files& files) {
    if (::mount("tmpfs", disk.path().c_str(), "tmpfs", 0, "size=256k") != 0) return false;
    for (const auto& [name, bytes] : files) put(disk / name, bytes);
    return ::mount("", disk.path().c_str(), "", MS_REMOUNT | MS_RDONLY, "") == 0;
  };
  const std::vector<Files> states = states_of_a_commit(before, after, {"log.jsonl"});
  for (const Files& state : states) {
    if (!mount_read_only(state)) GTEST_SKIP() << "needs the right to mount a small file system";
    if (state.contains(next_manifest_name)) {
      EXPECT_TRUE(fails_with("cannot write: Read-only file system", [&] { Run::open(disk.path()); }));
    } else {
      EXPECT_EQ(Run::open(disk.path()).text("log.jsonl"), state == after ? "new\n" : "old\n");
    }
    ::umount2(disk.path().c_str(), MNT_DETACH);
  }
}

TEST(ManifestText, IsReadBack) {
  const Manifest manifest = {{"items.jsonl", entry_of("x")}, {"log.jsonl", entry_of("")}};
  EXPECT_EQ(parse_manifest(manifest_text(manifest), "m"), manifest);
  EXPECT_EQ(entry_of("").checksum, "ef46db3751d8e999");  // XXH64 of nothing, seed 0
  for (const char* bad : {"", "{}", "[]", "3", "{\"format\": 1}", "{\"format\": 1, \"files\": []}",
                          "{\"format\": 1, \"files\": {\"log.jsonl\": 1}}",
                          "{\"format\": 1, \"files\": {\"log.jsonl\": {\"bytes\": \"x\", \"xxh64\": 1}}}"}) {
    EXPECT_TRUE(fails_with("m: ", [&] { parse_manifest(bad, "m"); })) << bad;
  }
}

}  // namespace
}  // namespace ace
