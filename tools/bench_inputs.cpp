#include "tools/bench_inputs.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "ace/tokenizer.h"
#include "kernels/backend.h"
#include "tensor/random.h"
#include "tensor/transfer.h"
#include "tools/queries.h"
#include "tools/usage.h"

namespace tools::bench {

using tensor::DType;
using tensor::Random;
using tensor::Shape;
using tensor::Tensor;

namespace {

enum Stream : uint64_t { lengths = 1, pieces, choice, tokens, centres };

std::vector<int32_t> draw_text(int64_t length, int64_t vocabulary, Random& random) {
  constexpr int64_t first = 3;  // after pad, unk and eos
  std::vector<int32_t> text(size_t(length), ace::Tokenizer::eos);
  for (size_t i = 0; i + 1 < text.size(); ++i) text[i] = int32_t(first + random.below(vocabulary - first));
  return text;
}

/// Quick numbers in [−1, 1) for millions of vectors (splitmix64, Steele et al. 2014).
class Noise {
 public:
  explicit Noise(uint64_t seed) : state_(seed) {}
  float operator()() {
    uint64_t z = state_ += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return float(int32_t((z ^ z >> 31) >> 32)) * 0x1p-31f;
  }

 private:
  uint64_t state_;
};

Tensor draw_numbers() {
  const Tensor x({int64_t(1) << 20}, DType::f32);
  uint32_t state = 1;
  for (float& value : x.values<float>()) {
    state = state * 1664525u + 1013904223u;
    value = float(state >> 8) * 0x1p-24f - 0.5f;
  }
  return x;
}

}  // namespace

Captions::Captions(const std::optional<std::filesystem::path>& file, int64_t vocabulary, uint64_t seed)
    : vocabulary_(vocabulary) {
  constexpr int64_t longest = 64, drawn = 4096;
  if (file) {
    const std::vector<std::string> captions = read_queries(*file);
    const ace::Tokenizer tokenizer = ace::Tokenizer::train(captions, vocabulary);
    for (const std::string& caption : captions) texts_.push_back(tokenizer.encode_query(caption, longest));
    return;
  }
  Random length(seed, lengths), random(seed, pieces);
  constexpr double spread = 0.35;  // of the logarithm; exp(spread²/2) is what it adds to the mean
  for (int64_t i = 0; i < drawn; ++i) {
    const double drawn_length = 12 * std::exp(spread * length.normal() - spread * spread / 2);
    texts_.push_back(draw_text(std::clamp<int64_t>(std::lround(drawn_length), 3, longest), vocabulary, random));
  }
}

Texts Captions::draw(int64_t count, uint64_t seed) const {
  Random random(seed, choice);
  Texts texts;
  for (int64_t i = 0; i < count; ++i) texts.push_back(texts_[size_t(random.below(int64_t(texts_.size())))]);
  return texts;
}

Texts equal_texts(int64_t count, int64_t length, int64_t vocabulary, uint64_t seed) {
  Random random(seed, pieces);
  Texts texts;
  for (int64_t i = 0; i < count; ++i) texts.push_back(draw_text(length, vocabulary, random));
  return texts;
}

Tensor draw_tokens(int64_t count, const std::vector<int64_t>& vocabulary, uint64_t seed) {
  Random random(seed, tokens);
  Tensor result(Shape{count, int64_t(vocabulary.size())}, DType::i32);
  int32_t* to = result.data<int32_t>();
  for (int64_t i = 0; i < count; ++i) {
    for (const int64_t size : vocabulary) *to++ = int32_t(random.below(size));
  }
  return result;
}

ace::Identifiers draw_table(int64_t items, uint64_t seed) {
  const std::vector<int64_t> grid = {128, 128, 128};
  return ace::add_unique(draw_tokens(items, grid, seed), grid, 128);
}

Tensor clustered_vectors(int64_t items, int64_t width, uint64_t seed) {
  constexpr int64_t directions = 256;
  Tensor centre(Shape{directions, width}, DType::f32), result(Shape{items, width}, DType::f32);
  Noise noise(seed);
  for (float& x : centre.values<float>()) x = noise();
  kernels::Cpu().parallel(items, 8 * width, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      Random random(seed, centres, uint64_t(4 * i));
      const float* from = centre.data<float>() + random.below(directions) * width;
      float* row = result.data<float>() + i * width;
      Noise own(random.uint64());
      double squares = 0;
      for (int64_t c = 0; c < width; ++c) row[c] = from[c] + own(), squares += double(row[c]) * double(row[c]);
      const float factor = float(1 / std::sqrt(squares));
      for (int64_t c = 0; c < width; ++c) row[c] *= factor;
    }
  });
  return result;
}

void fill_numbers(const Tensor& x) {
  static std::map<DType, Tensor> drawn = {{DType::f32, draw_numbers()}};
  Tensor& from = drawn[x.dtype()];
  if (!from.defined()) from = drawn[DType::f32].to(x.dtype());
  const auto block = [&](int64_t begin) { return std::min(from.bytes(), x.bytes() - begin); };
  uint8_t* const to = static_cast<uint8_t*>(x.raw());
  tensor::transfer(to, x.device(), from.raw(), tensor::Device::cpu, block(0));
  for (int64_t begin = from.bytes(); begin < x.bytes(); begin += from.bytes()) {
    tensor::transfer(to + begin, x.device(), to, x.device(), block(begin));
  }
}

double mean_length(const Texts& texts) {
  double sum = 0;
  for (const auto& text : texts) sum += double(text.size());
  return sum / double(texts.size());
}

void add_captions_option(const CommandLine& scenario, std::optional<std::filesystem::path>& file) {
  scenario.option("--captions", "FILE", file,
                  "lengths of the others: of the lines of a file, or \"text\" in FILE.jsonl; default: drawn, 12 on "
                  "average");
}

void add_model_options(const CommandLine& scenario, ModelOptions& options) {
  scenario.option("--width", "N", options.width, "features of a token; default 512, with 8 heads");
  scenario.option("--layers", "N", options.layers, "encoder layers, and decoder layers; default 3");
  scenario.option("--vocabulary", "N", options.vocabulary, "text pieces; default 8192");
}

void check_model_options(const ModelOptions& options) {
  check_range("--width", {options.width}, 16, 4096);
  check_range("--layers", {options.layers}, 1, 64);
  check_range("--vocabulary", {options.vocabulary}, 300, 1000000);
  if (options.width % 16 != 0) fail_usage("--width: expected a multiple of 16, found {}", options.width);
}

ace::RetrieverOptions retriever_options(const ModelOptions& options, const std::vector<int64_t>& identifiers) {
  ace::Settings::Model model;
  model.width = options.width, model.encoder_layers = model.decoder_layers = options.layers;
  return ace::retriever_options(model, options.vocabulary, identifiers);
}

}  // namespace tools::bench
