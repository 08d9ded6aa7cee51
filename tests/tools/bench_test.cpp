#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <regex>
#include <set>

#include "tests/tools/program.h"

namespace tools_test {
namespace {

using nlohmann::json;
using Words = std::vector<std::string>;

/// Wrong usage: exit code 2, nothing on standard output, one line on standard error.
void expect_usage(const Words& words, const std::string& message) {
  const Outcome outcome = run_bench(words);
  EXPECT_EQ(outcome.code, 2) << message;
  EXPECT_EQ(outcome.out, "");
  EXPECT_EQ(outcome.err, "bench: error: " + message + "\n");
}

/// The document of a tiny run of a scenario.
json measure(Words words, const char* precision = "f32") {
  words.insert(words.end(), {"--json", "--quiet", "--repetitions", "1", "--threads", "2", "--precision", precision});
  const Outcome outcome = run_bench(words);
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(outcome.err, "");
  const json document = json::parse(outcome.out);
  EXPECT_EQ(document["scenario"], words[0]);
  EXPECT_EQ(document["repetitions"], 1);
  EXPECT_EQ(document["precision"], precision);
  EXPECT_EQ(document["machine"]["threads"], 2);
  EXPECT_GT(document["machine"]["sgemm_gflops"], 0);
  EXPECT_GT(document["machine"]["copy_gb_per_s"], 0);
  EXPECT_FALSE(document["rows"].empty());
  for (const json& row : document["rows"]) EXPECT_GT(row["seconds"], 0) << row;
  return document;
}

TEST(Bench, HelpNamesScenariosAndDefaults) {
  const Outcome help = run_bench({"--help"}), search = run_bench({"search", "--help"});
  EXPECT_EQ(help.code, 0);
  EXPECT_EQ(help.err, "");
  for (const char* word : {"kernels", "train", "search", "kmeans", "trie", "--repetitions", "--precision"}) {
    EXPECT_NE(help.out.find(word), std::string::npos) << word;
  }
  EXPECT_EQ(search.code, 0);
  for (const char* word : {"--beam", "5,25,50", "--dual", "--svg", "--captions", "--threads"}) {
    EXPECT_NE(search.out.find(word), std::string::npos) << word;
  }
  EXPECT_EQ(run_bench({"--version"}).out.substr(0, 6), "bench ");
}

TEST(Bench, WrongWordsAreRefusedBeforeAnythingIsMeasured) {
  expect_usage({}, "expected a verb: kernels, train, search, kmeans, trie");
  expect_usage({"serach"}, "unknown verb \"serach\"; did you mean \"search\"?");
  expect_usage({"search", "--bean", "5"}, "unknown option \"--bean\"; did you mean \"--beam\"?");
  expect_usage({"trie", "more"}, "trie: one word too many: \"more\"; see bench trie --help");
  expect_usage({"trie", "--precision", "f16"}, "--precision: expected f32, bf16 or int8, found \"f16\"");
  expect_usage({"trie", "--precision", "int8"}, "--precision: expected f32 with trie, found \"int8\"");
  expect_usage({"kmeans", "--precision", "bf16"}, "--precision: expected f32 with kmeans, found \"bf16\"");
  expect_usage({"train", "--precision", "int8"}, "--precision: int8 is for search and kernels, not train");
  expect_usage({"trie", "--items", "99999999999999999999"},
               "--items: expected an integer, found \"99999999999999999999\"");
  expect_usage({"trie", "--repetitions", "0"}, "--repetitions: expected 1 to 1000, found 0");
  expect_usage({"trie", "--items", "1000,0"}, "--items: expected 1 to 100000000, found 0");
  expect_usage({"search", "--beam", "5,0"}, "--beam: expected 1 to 100000, found 0");
  expect_usage({"search", "--width", "24"}, "--width: expected a multiple of 16, found 24");
  expect_usage({"train", "--batch", "0"}, "--batch: expected 1 to 65536, found 0");
  expect_usage({"kmeans", "--items", "7"}, "--items: expected 128 to 100000000, found 7");
  expect_usage({"kernels", "--seconds", "0"}, "--seconds: expected above 0 and up to 60, found 0");
  expect_usage({"kernels", "--precision", "int8", "--filter", "softmax"},
               "--filter: no kernel has \"softmax\" in its name");
  expect_usage({"kernels", "--filter", "nothing"}, "--filter: no kernel has \"nothing\" in its name");
  const auto on_cuda = [](Words words) {
    words.insert(words.end(), {"--device", "cuda"});
    return words;
  };
  expect_usage(on_cuda({"trie"}), "--device cuda: for kernels, train and search, not trie");
  expect_usage(on_cuda({"kmeans"}), "--device cuda: for kernels, train and search, not kmeans");
  expect_usage(on_cuda({"search", "--dual"}), "--device cuda: for kernels, train and search, not search --dual");
  expect_usage(on_cuda({"search", "--beam", "2049"}), "--beam: expected 1 to 2048, found 2049");
  expect_usage(on_cuda({"train", "--precision", "int8"}), "--precision: expected f32, bf16 or f16, found \"int8\"");
}

TEST(Bench, AFailureIsOneLine) {
  const Outcome outcome = run_bench({"search", "--captions", "/nowhere/captions.jsonl", "--quiet"});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_EQ(outcome.out, "");
  EXPECT_EQ(outcome.err.substr(0, 14), "bench: error: ");
  EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 1);
}

TEST(Bench, KernelsShowBothShares) {
  const json document = measure({"kernels", "--filter", "cross-entropy", "--seconds", "0.001"});
  for (const json& row : document["rows"]) {
    EXPECT_EQ(row["kernel"].get<std::string>().substr(0, 13), "cross-entropy");
    for (const char* name : {"bytes", "flops", "gb_per_s", "gflops", "share_copy", "share_sgemm"}) {
      EXPECT_GT(row[name], 0) << name;
    }
  }
}

/// What the headers of kernels/ declare for a device, but for oracles and sizes of memory; headers without a source of
/// their own are parts of others.
std::set<std::string> declared_kernels() {
  const std::regex declaration(R"((\w+)\((Cpu|Cuda),)"), no_kernel(".*_(plain|scratch|bytes)");
  std::set<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(ACE_SOURCE_DIR "/kernels")) {
    std::filesystem::path path = entry.path();
    if (path.extension() != ".h") continue;
    const std::string header = read(path);
    if (!exists(path.replace_extension(".cpp")) && !exists(path.replace_extension(".cu"))) continue;
    for (std::sregex_iterator at(header.begin(), header.end(), declaration), end; at != end; ++at) {
      if (!std::regex_match(at->str(1), no_kernel)) names.insert(at->str(1));
    }
  }
  return names;
}

TEST(Bench, EveryKernelHasACase) {
  std::string cases;
  for (const char* file : {"products", "layers", "steps"}) {
    cases += read(ACE_SOURCE_DIR "/tools/bench_kernels_" + std::string(file) + ".cpp");
  }
  const std::set<std::string> names = declared_kernels();
  EXPECT_TRUE(names.contains("softmax") && names.contains("gemm_packed")) << "headers are no longer read";
  for (const std::string& name : names) {
    EXPECT_TRUE(std::regex_search(cases, std::regex("kernels::" + name + R"([<(])"))) << name;
  }
}

TEST(Bench, KernelsInNarrowNumbersAreProducts) {
  for (const char* precision : {"bf16", "int8"}) {
    const json document = measure({"kernels", "--filter", "logits", "--seconds", "0.001"}, precision);
    EXPECT_EQ(document["rows"].size(), 3u);
    for (const json& row : document["rows"]) EXPECT_GT(row["share_product"], 0);
  }
}

/// The document of a run on a card; without one null, after one line of error.
json measure_on_card(Words words) {
  words.insert(words.end(), {"--device", "cuda", "--json", "--quiet", "--repetitions", "1"});
  const Outcome outcome = run_bench(words);
  if (outcome.code == 0) return json::parse(outcome.out);
  EXPECT_EQ(outcome.code, 1);
  EXPECT_EQ(outcome.out, "");
  EXPECT_EQ(outcome.err.substr(0, 28), "bench: error: --device cuda:") << outcome.err;
  EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 1);
  return {};
}

TEST(Bench, KernelsOfACardNeedOne) {
  const json document = measure_on_card({"kernels", "--filter", "top k", "--seconds", "0.001"});
  if (document.is_null()) return;
  for (const json& row : document["rows"]) {
    EXPECT_GT(row["seconds"], 0) << row;
    EXPECT_TRUE(row["seconds_library"].is_null()) << "no library has the operation: " << row;
  }
}

TEST(Bench, TrainingAndSearchOnACardNeedOne) {
  const Words tiny = {"--width", "16", "--layers", "1", "--vocabulary", "300", "--item-width", "8"};
  for (Words words : {Words{"train", "--batch", "2", "--rqvae-batch", "4", "--precision", "f16"},
                      Words{"search", "--items", "300", "--queries", "4", "--beam", "5", "--precision", "f16"}}) {
    words.insert(words.end(), tiny.begin(), tiny.end());
    const json document = measure_on_card(words);
    if (document.is_null()) continue;
    EXPECT_NE(document["machine"]["device"], "cpu");
    EXPECT_GT(document["machine"]["product_gflops"], 0);
    for (const json& row : document["rows"]) EXPECT_GT(row["share_product"], 0) << row;
  }
}

TEST(Bench, TrainCountsTheOperationsOfTheFormulas) {
  const json rows = measure({"train", "--batch", "2", "--tokens", "3", "--width", "16", "--layers", "1", "--vocabulary",
                             "300", "--item-width", "8", "--rqvae-batch", "4"})["rows"];
  ASSERT_EQ(rows.size(), 3u);
  // Products of one text of L = 3 pieces, J = 4 positions, d = 16, inner width 64, one layer each; d² = 256:
  //   encoder        3 (4 · 256 + 2 · 16 · 64 + 2 · 3 · 16)
  //   Z, K, V        3 (256 + 2 · 2 · 256)
  //   a decoder row  self 4 · 256 + 2 · 4 · 16, coarse and fine 2 · 256 + 2 · 3 · 16 each, gate 2 · 256, 2 · 16 · 64
  //   heads          16 (3 · 128 + 4)
  const double encoder = 3 * (1024 + 2048 + 96), memory = 3 * (256 + 1024), row = 1152 + 2 * 608 + 512 + 2048;
  const double products = encoder + memory + 4 * row + 16 * 388;
  EXPECT_NEAR(rows[0]["gflop"].get<double>(), 1e-9 * 2 * products * 2 * 3 * 2, 1e-15);  // 2 texts, 3 times, 2 passes
  EXPECT_EQ(rows[0]["input"], "3 pieces");
  EXPECT_EQ(rows[1]["batch"], 2);
  EXPECT_EQ(rows[2]["work"], "rq-vae");
  for (const json& r : rows) EXPECT_GT(r["share_sgemm"], 0);
}

TEST(Bench, LengthsComeFromAFileOfCaptions) {
  Folder folder;
  const std::string file = folder.file("captions.txt", "a dog runs\na dog runs\na dog runs\n");
  const json rows = measure({"train", "--batch", "2", "--tokens", "3", "--width", "16", "--layers", "1", "--vocabulary",
                             "300", "--item-width", "8", "--rqvae-batch", "4", "--captions", file})["rows"];
  const std::string input = rows[1]["input"];
  EXPECT_EQ(input.substr(0, 10), "captions, ");
  EXPECT_EQ(input.substr(input.find('.')), ".0 on average") << "all are of one length";
}

/// Every tag is closed, in order; attributes are quoted.
void expect_well_formed(const std::string& xml) {
  std::vector<std::string> open;
  size_t at = 0;
  while ((at = xml.find('<', at)) != std::string::npos) {
    const size_t end = xml.find('>', at);
    ASSERT_NE(end, std::string::npos);
    const std::string tag = xml.substr(at + 1, end - at - 1);
    EXPECT_EQ(tag.find('<'), std::string::npos) << tag;
    EXPECT_EQ(std::count(tag.begin(), tag.end(), '"') % 2, 0) << tag;
    if (tag[0] == '/') {
      ASSERT_FALSE(open.empty());
      EXPECT_EQ(tag.substr(1), open.back());
      open.pop_back();
    } else if (tag.back() != '/') {
      open.push_back(tag.substr(0, tag.find(' ')));
    }
    at = end;
  }
  EXPECT_TRUE(open.empty());
}

TEST(Bench, SearchComparesWithADualTowerAndDrawsIt) {
  Folder folder;
  const json document = measure({"search",
                                 "--items",
                                 "1000,300",
                                 "--queries",
                                 "4",
                                 "--beam",
                                 "5",
                                 "--width",
                                 "16",
                                 "--layers",
                                 "1",
                                 "--vocabulary",
                                 "300",
                                 "--dual",
                                 "--item-width",
                                 "8",
                                 "--hnsw-items",
                                 "300",
                                 "--svg",
                                 folder / "f.svg"});
  const json& rows = document["rows"];
  ASSERT_EQ(rows.size(), 10u) << "two of each method and size, but for the larger graph";
  int graphs = 0;
  for (const json& row : rows) {
    EXPECT_GT(row["queries_per_second"], 0);
    if (row["method"] != "dual tower, HNSW") continue;
    ++graphs;
    EXPECT_EQ(row["items"], 300);
    EXPECT_GE(row["recall_10"], 0.5);
  }
  EXPECT_EQ(graphs, 2);
  EXPECT_NE(document["notes"].dump().find("HNSW, 1000 items: left out"), std::string::npos);

  const std::string svg = read(folder / "f.svg");
  EXPECT_EQ(svg.substr(0, 5), "<svg ");
  expect_well_formed(svg);
  for (const char* text : {"ace, beam 5, captions", "dual tower, exact, 24 pieces each", "dual tower, HNSW", "1,000"}) {
    EXPECT_NE(svg.find(text), std::string::npos) << text;
  }
  EXPECT_EQ(svg.find("nan"), std::string::npos);
  EXPECT_EQ(svg.find("inf"), std::string::npos);
}

TEST(Bench, KMeansAssignsAtLeastAsWellAsItFitted) {
  const json rows = measure({"kmeans", "--items", "300", "--width", "8", "--clusters", "4"})["rows"];
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[0]["inertias"].size(), 2u) << "one of the warm-up, one timed";
  EXPECT_EQ(rows[1]["inertia"], rows[0]["inertias"].back());
}

TEST(Bench, TrieIsBuiltAndWalked) {
  const json rows = measure({"trie", "--items", "1000", "--rows", "10"})["rows"];
  ASSERT_EQ(rows.size(), 7u) << "built, then masks and children at each position but the first";
  EXPECT_GT(rows[0]["bytes_per_identifier"], 0);
}

}  // namespace
}  // namespace tools_test
