#include "ace/corpus.h"

#include <algorithm>

#include "tensor/json.h"

namespace ace {
namespace {

using tensor::json_string;

void append_member(std::string& line, std::string_view name, const std::string& text) {
  if (!text.empty()) line += fmt::format("{}\"{}\": {}", line.empty() ? "{" : ", ", name, json_string(text, name));
}

}  // namespace

std::vector<int32_t> test_pool(const Corpus& corpus) {
  const auto has_split = [](const Item& item) { return !item.split.empty(); };
  std::vector<int32_t> pool;
  if (std::any_of(corpus.items.begin(), corpus.items.end(), has_split)) {
    for (size_t i = 0; i < corpus.items.size(); ++i) {
      if (corpus.items[i].split == "test") pool.push_back(int32_t(i));
    }
    return pool;
  }
  for (const Judgement& judgement : corpus.judgements[size_t(Split::test)]) pool.push_back(judgement.item);
  std::sort(pool.begin(), pool.end());
  pool.erase(std::unique(pool.begin(), pool.end()), pool.end());
  return pool;
}

std::vector<std::string> training_texts(const Corpus& corpus) {
  std::vector<std::string> texts(corpus.items.size());
  for (const Judgement& judgement : corpus.judgements[size_t(Split::train)]) {
    std::string& text = texts[size_t(judgement.item)];
    if (!text.empty()) text += ' ';
    text += corpus.queries[size_t(judgement.query)].text;
  }
  return texts;
}

std::string items_text(const std::vector<Item>& items) {
  std::string result;
  for (const Item& item : items) {
    std::string line;
    append_member(line, "_id", item.id);
    append_member(line, "split", item.split);
    append_member(line, "title", item.title);
    append_member(line, "text", item.text);
    append_member(line, "path", item.path);
    result += line + "}\n";
  }
  return result;
}

}  // namespace ace
