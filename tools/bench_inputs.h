#pragma once
#include <filesystem>
#include <optional>

#include "ace/identifiers.h"
#include "ace/retriever.h"
#include "tools/bench.h"

/// What scenarios work on: drawn, the same for the same seed on every machine.
namespace tools::bench {

using Texts = std::vector<std::vector<int32_t>>;

/// Captions as the model sees them.
class Captions {
 public:
  /// Drawn ones: lengths log-normal, 12 pieces on average, 3 to 64; or those of a file (a caption a line, or "text" of
  /// each line of *.jsonl), cut into pieces by a tokenizer that is trained on it.
  Captions(const std::optional<std::filesystem::path>& file, int64_t vocabulary, uint64_t seed);
  /// `count` of them at random.
  Texts draw(int64_t count, uint64_t seed) const;

 private:
  int64_t vocabulary_;
  Texts texts_;  ///< of the file
};
void add_captions_option(const CommandLine& scenario, std::optional<std::filesystem::path>& file);

/// `count` texts of `length` pieces each.
Texts equal_texts(int64_t count, int64_t length, int64_t vocabulary, uint64_t seed);
/// Tokens at random, position j below vocabulary[j]: i32 [count, J].
tensor::Tensor draw_tokens(int64_t count, const std::vector<int64_t>& vocabulary, uint64_t seed);
/// Identifiers of `items` items on a grid of 128 × 128 × 128, every prefix equally likely.
ace::Identifiers draw_table(int64_t items, uint64_t seed);
/// Rows of length 1 around 256 directions, as embeddings are: f32 [items, width]. The first rows are the same for any
/// number of items.
tensor::Tensor clustered_vectors(int64_t items, int64_t width, uint64_t seed);
/// Fills with numbers in [−½, ½), the same 2²⁰ over and over.
void fill_numbers(const tensor::Tensor& x);
/// Average number of pieces.
double mean_length(const Texts& texts);

/// A retriever of the default size, but for these.
struct ModelOptions {
  int64_t width = 512, layers = 3, vocabulary = 8192;
};
void add_model_options(const CommandLine& scenario, ModelOptions& options);
void check_model_options(const ModelOptions& options);
ace::RetrieverOptions retriever_options(const ModelOptions& options, const std::vector<int64_t>& identifiers);

}  // namespace tools::bench
