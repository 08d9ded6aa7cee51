#pragma once
#include <array>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "ace/progress.h"
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

/// Reads and checks the whole folder: UTF-8, JSON, unique ids, columns, known ids, row counts, vectors that are finite
/// and not all zeros. Fails with one line that names file and line.
Corpus load_corpus(const std::filesystem::path& folder);
/// What is wrong with the id of an item or a query, or null: it is empty or has a control character.
const char* id_fault(std::string_view id);
/// Fails, naming `file`, unless these are float16, float32 or float64 [items, D].
void check_embeddings(const tensor::Tensor& x, size_t items, const std::string& file);
/// Fails, naming `file` and row, unless rows begin … end − 1 are finite in float32, in which all is computed, and none
/// is all zeros there.
void check_rows(const tensor::Tensor& x, int64_t begin, int64_t end, const std::string& file);
/// Writes a corpus folder: built under a temporary name beside it, then renamed. Fails if `folder` exists.
void write_corpus(const std::filesystem::path& folder, const Corpus& corpus, const Progress& progress = {});

/// Items of the `test` pool: those whose split is test or, without splits, those judged in qrels/test.tsv; ascending.
std::vector<int32_t> test_pool(const Corpus& corpus);
/// For each item the texts of its training queries, joined by spaces: its document for BM25.
std::vector<std::string> training_texts(const Corpus& corpus);

/// Items from JSON Lines (`_id`, and optionally `split`, `title`, `text`, `path`); `file` names them in messages.
std::vector<Item> parse_items(std::string_view text, const std::string& file);
/// The same items as JSON Lines; empty members are left out.
std::string items_text(const std::vector<Item>& items);

}  // namespace ace
