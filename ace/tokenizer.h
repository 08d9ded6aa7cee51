#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace ace {

/// The pieces of a vocabulary by their bytes: a prefix tree in arrays. Nodes are numbered level by level, so the
/// children of node n are the nodes first[n] … first[n + 1] − 1, ascending by the byte that leads to them; node 0 is
/// the root.
class PieceTree {
 public:
  /// Holds pieces[first], pieces[first + 1], …; they must be distinct and not empty.
  void build(std::span<const std::string> pieces, int32_t first);
  /// The node that `byte` leads to from `node`, or −1.
  int32_t step(int32_t node, uint8_t byte) const;
  /// The piece that ends at `node`, or −1.
  int32_t piece(int32_t node) const { return piece_[size_t(node)]; }

 private:
  std::vector<int32_t> first_, piece_;
  std::vector<uint8_t> byte_;
};

/// SentencePiece unigram pieces as text, segmented by our own Viterbi: argmax over segmentations of Σ log p(piece).
/// Ids: pad 0, unk 1, eos 2, then 256 byte pieces (a character without a piece is spelled in bytes), then pieces.
/// A piece writes a space as `▁` (U+2581), and every text begins with one; a `▁` in a text counts as a space.
class Tokenizer {
 public:
  static constexpr int32_t pad = 0, unk = 1, eos = 2;
  static constexpr int32_t first_byte = 3, first_piece = first_byte + 256;
  /// Trains on the texts (normalised here) with SentencePiece; at most `pieces` pieces, fewer for a small corpus. Where
  /// SentencePiece cannot train (no room for every character), the pieces are the commonest characters. One thread, no
  /// shuffling: the same texts give the same pieces. Fails without a visible character, and for pieces < 259.
  static Tokenizer train(std::span<const std::string> texts, int64_t pieces);
  /// From `tokenizer.tsv` (piece TAB log-probability, one a line, row = id; `\t`, `\n`, `\r`, `\\` in a piece are
  /// escaped); `origin` names it in messages. Fails, with the line, on anything that is not such a table.
  static Tokenizer parse(std::string_view tsv, std::string_view origin);
  /// The table; parse gives the same tokenizer back, scores to the last bit.
  std::string tsv() const;

  int64_t size() const { return int64_t(pieces_.size()); }
  /// A text as encode takes it apart: normalised, every `▁` a space.
  static std::string prepare(std::string_view text);
  /// Ids of a text (prepared here), without the final eos. Linear in the text's length.
  std::vector<int32_t> encode(std::string_view text) const;
  /// As encode, then cut to max_tokens − 1 and ended with eos; `cut` tells whether anything was lost.
  std::vector<int32_t> encode_query(std::string_view text, int64_t max_tokens, bool* cut = nullptr) const;
  /// The normalised text that ids spell: pad and eos are nothing; unk and bytes that make no character are U+FFFD.
  std::string decode(std::span<const int32_t> ids) const;
  const std::string& piece(int32_t id) const { return pieces_[size_t(id)]; }
  float score(int32_t id) const { return scores_[size_t(id)]; }

 private:
  Tokenizer();
  void add(std::string piece, float score);
  void finish();

  std::vector<std::string> pieces_;
  std::vector<float> scores_;
  PieceTree tree_;
  float unknown_score_ = 0;
};

}  // namespace ace
