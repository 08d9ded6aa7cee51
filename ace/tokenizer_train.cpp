#include <sentencepiece_processor.h>
#include <sentencepiece_trainer.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "ace/text.h"
#include "ace/tokenizer.h"
#include "tensor/error.h"

namespace ace {
namespace {

/// More texts than this are thinned out evenly: enough for any vocabulary, and training time stays bounded.
constexpr size_t most_texts = 1'000'000;

class Sentences : public sentencepiece::SentenceIterator {
 public:
  explicit Sentences(const std::vector<std::string>& texts) : texts_(texts) {}
  bool done() const override { return at_ >= texts_.size(); }
  void Next() override { ++at_; }
  const std::string& value() const override { return texts_[at_]; }
  sentencepiece::util::Status status() const override { return {}; }

 private:
  const std::vector<std::string>& texts_;
  size_t at_ = 0;
};

/// The trained model, serialised; empty when SentencePiece refuses (a vocabulary too small for the characters).
std::string train_model(const std::vector<std::string>& texts, int64_t pieces) {
  Sentences sentences(texts);
  std::string model;
  const auto status = sentencepiece::SentencePieceTrainer::Train({{"model_type", "unigram"},
                                                                  {"vocab_size", std::to_string(pieces)},
                                                                  {"hard_vocab_limit", "false"},
                                                                  {"byte_fallback", "true"},
                                                                  {"pad_id", std::to_string(Tokenizer::pad)},
                                                                  {"unk_id", std::to_string(Tokenizer::unk)},
                                                                  {"eos_id", std::to_string(Tokenizer::eos)},
                                                                  {"bos_id", "-1"},
                                                                  {"normalization_rule_name", "identity"},
                                                                  {"input_sentence_size", std::to_string(most_texts)},
                                                                  {"shuffle_input_sentence", "false"},
                                                                  {"max_sentence_length", "65536"},
                                                                  {"num_threads", "1"},
                                                                  {"minloglevel", "4"}},
                                                                 &sentences, &model);
  return status.ok() ? model : std::string();
}

struct Piece {
  std::string text;
  float score;
};

/// The commonest characters with their log-frequency, at most `room` of them.
std::vector<Piece> characters(const std::vector<std::string>& texts, int64_t room) {
  std::map<std::string, int64_t, std::less<>> counts;
  int64_t total = 0;
  for (const std::string& text : texts) {
    counts["\u2581"] += 1;
    total += 1;
    for (std::string_view rest = text; !rest.empty(); ++total) {
      const auto size = size_t(first_character(rest).bytes);
      counts[rest[0] == ' ' ? "\u2581" : std::string(rest.substr(0, size))] += 1;
      rest.remove_prefix(size);
    }
  }
  std::vector<std::pair<std::string, int64_t>> order(counts.begin(), counts.end());
  std::stable_sort(order.begin(), order.end(), [](const auto& x, const auto& y) { return x.second > y.second; });
  order.resize(size_t(std::min<int64_t>(room, int64_t(order.size()))));
  std::vector<Piece> result;
  for (const auto& [text, count] : order) result.push_back({text, float(std::log(double(count) / double(total)))});
  return result;
}

}  // namespace

Tokenizer Tokenizer::train(std::span<const std::string> texts, int64_t pieces) {
  tensor::check(pieces >= first_piece, "tokenizer.pieces: expected at least {} (3 special, 256 bytes), found {}",
                int(first_piece), pieces);
  std::vector<std::string> sentences;
  const size_t stride = texts.size() / most_texts + 1;
  for (size_t i = 0; i < texts.size(); i += stride) {
    if (std::string text = prepare(texts[i]); has_visible(text)) sentences.push_back(std::move(text));
  }
  tensor::check(!sentences.empty(), "tokenizer: expected training texts, found {} texts without a visible character",
                texts.size());
  Tokenizer result;
  const std::string model = train_model(sentences, pieces);
  if (model.empty()) {
    for (Piece& piece : characters(sentences, pieces - first_piece)) result.add(std::move(piece.text), piece.score);
  } else {
    sentencepiece::SentencePieceProcessor trained;
    const auto status = trained.LoadFromSerializedProto(model);
    tensor::check(status.ok(), "tokenizer: SentencePiece cannot read its own model: {}", escape(status.ToString()));
    for (int id = 0; id < trained.GetPieceSize(); ++id) {
      const std::string& piece = trained.IdToPiece(id);
      if (id >= first_piece) {
        result.add(piece, trained.GetScore(id));
      } else {
        tensor::check(piece == result.piece(id), "tokenizer: expected {} as piece {}, found {}", result.piece(id), id,
                      quote(piece));
      }
    }
  }
  result.finish();
  return result;
}

}  // namespace ace
