#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace ace {

/// SentencePiece unigram pieces as text, segmented by our own Viterbi: argmax over segmentations of Σ log p(piece).
/// Ids: pad 0, unk 1, eos 2, then 256 byte pieces (a character without a piece is spelled in bytes), then pieces.
class Tokenizer {
 public:
  static constexpr int32_t pad = 0, unk = 1, eos = 2;
  /// Trains on the texts (normalised here) with SentencePiece; at most `pieces` pieces, fewer for a small corpus.
  static Tokenizer train(std::span<const std::string> texts, int64_t pieces);
  /// From `tokenizer.tsv` (piece TAB log-probability, one a line, row = id); `origin` names it in messages.
  static Tokenizer parse(std::string_view tsv, std::string_view origin);
  std::string tsv() const;

  int64_t size() const { return int64_t(pieces_.size()); }
  /// Ids of a text (normalised here), without the final eos.
  std::vector<int32_t> encode(std::string_view text) const;
  /// As encode, then cut to max_tokens − 1 and ended with eos; `cut` tells whether anything was lost.
  std::vector<int32_t> encode_query(std::string_view text, int64_t max_tokens, bool* cut = nullptr) const;
  std::string decode(std::span<const int32_t> ids) const;
  const std::string& piece(int32_t id) const { return pieces_[id]; }

 private:
  std::vector<std::string> pieces_;
  std::vector<float> scores_;
  std::unordered_map<std::string_view, int32_t> index_;
};

}  // namespace ace
