#pragma once
#include <array>
#include <filesystem>
#include <string>
#include <vector>

#include "tensor/tensor.h"

namespace ace {

enum class Split : uint8_t { train, dev, test };
constexpr std::array<const char*, 3> split_names = {"train", "dev", "test"};

/// One thing to be found: an image, a sound, a video. All but the id may be empty.
struct Item {
  std::string id, split, title, text, path;
};
struct Query {
  std::string id, text;
};
/// `query` and `item` are line numbers (from 0) of queries.jsonl and corpus.jsonl. Only scores above 0 are kept.
struct Judgement {
  int32_t query = 0, item = 0, score = 1;
};

/// A corpus folder in memory: BEIR's layout plus embeddings (file formats: README, "Corpus folder").
struct Corpus {
  std::filesystem::path folder;
  std::vector<Item> items;
  std::vector<Query> queries;
  std::array<std::vector<Judgement>, 3> judgements;  ///< by Split
  tensor::Tensor embeddings;                         ///< [N, D] f16, f32 or f64, mapped
  std::string settings;                              ///< settings.toml that `sample` wrote beside it, or empty
  std::string checksum;                              ///< of all files, 16 hexadecimal digits
  int64_t width() const { return embeddings.cols(); }
};

/// Reads and checks the whole folder: UTF-8, JSON, unique ids, columns, known ids, row counts, finite vectors.
Corpus load_corpus(const std::filesystem::path& folder);
/// Writes a corpus folder: built under a temporary name beside it, then renamed. Fails if `folder` exists.
void write_corpus(const std::filesystem::path& folder, const Corpus& corpus);
/// Items of the `test` pool: those whose split is test or, without splits, those judged in qrels/test.tsv; ascending.
std::vector<int32_t> test_pool(const Corpus& corpus);

}  // namespace ace
