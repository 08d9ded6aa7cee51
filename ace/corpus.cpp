#include "ace/corpus.h"

#include <algorithm>
#include <cmath>

#include "tensor/json.h"

namespace ace {
namespace {

using tensor::json_string;

void append_member(std::string& line, std::string_view name, const std::string& text) {
  if (!text.empty()) line += fmt::format("{}\"{}\": {}", line.empty() ? "{" : ", ", name, json_string(text, name));
}

/// Rows divided by their L2 norm, which is summed in f64 so that no f32 embedding overflows it.
void normalize_rows(const tensor::Tensor& x) {
  for (int64_t i = 0; i < x.rows(); ++i) {
    const std::span<float> row = x.values<float>().subspan(size_t(i * x.cols()), size_t(x.cols()));
    double sum = 0;
    for (const float value : row) sum += double(value) * double(value);
    const double scale = sum > 0 ? 1 / std::sqrt(sum) : 0;
    for (float& value : row) value = float(double(value) * scale);
  }
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

tensor::Tensor item_vectors(const Corpus& corpus, bool normalize) {
  tensor::Tensor x = corpus.embeddings.to(tensor::DType::f32);
  if (normalize) normalize_rows(x);
  return x;
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
