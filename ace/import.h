#pragma once
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ace/corpus.h"

/// Published data sets as corpora. Media encoders are not ours: embeddings come as a .npy beside the captions.
namespace ace {

struct ImportOptions {
  std::string dataset;               ///< clotho | audiocaps | flickr30k | flickr8k | beir
  std::filesystem::path source;      ///< folder of the published files (each reader below names them)
  std::filesystem::path embeddings;  ///< .npy [N, D], f16, f32 or f64
  /// Item id of each embedding row: one a line, or, in a file named *.jsonl, objects with "_id". Without it row i
  /// belongs to item i of the reader's order.
  std::optional<std::filesystem::path> ids;
  /// Generated training queries, JSON Lines of {"item": id, "text": …} and optionally "_id". They join the train split.
  std::optional<std::filesystem::path> queries;
  /// `published`: captions of train items train, those of dev and test items judge.
  /// `4+1`: of each dev and test item one caption (its number = the item's row modulo its captions) judges, the rest
  /// train.
  std::string protocol = "published";
};

/// Reads a published data set with its embeddings into a checked corpus; the caller writes it (write_corpus). Malformed
/// input fails with one line that names file and line. Captions become queries q0, q1, … in item order, white space
/// runs in them single spaces; generated queries without "_id" go on counting.
Corpus import_corpus(const ImportOptions& options);

/// An item of a captioned data set, as published.
struct CaptionedItem {
  std::string id;
  Split split = Split::train;
  std::vector<std::string> captions;
};

/// Each reader gives train, dev, test in that order and within a split the order of first appearance. A split whose
/// files are not in the folder is left out; when none is there the reader fails and says which files it looks for.

/// clotho_captions_{development,validation,evaluation}.csv: file_name, caption_1 … caption_5. Names repeat between
/// splits, so ids are `train/<file name>`, `dev/…`, `test/…`, to the letter: some names begin with a space.
std::vector<CaptionedItem> read_clotho(const std::filesystem::path& folder);
/// {train,val,test}.csv: youtube_id, caption; one row a caption, rows of a clip anywhere. Ids `<split>/<youtube_id>`.
std::vector<CaptionedItem> read_audiocaps(const std::filesystem::path& folder);
/// dataset_flickr30k.json (Karpathy's split) where it is there; else Multi30K's {train,val,test_2016}_images.txt beside
/// <name>.{1..5}.en.gz, line j of each belonging together. Ids are image file names.
std::vector<CaptionedItem> read_flickr30k(const std::filesystem::path& folder);
/// Flickr8k.token.txt (`image.jpg#0 TAB caption`) with Flickr_8k.{trainImages,devImages,testImages}.txt, images in no
/// list left out; or dataset_flickr8k.json; or captions.tsv (image TAB number TAB caption), all test items, in the
/// order of image_ids.txt where that is there. Ids are image file names.
std::vector<CaptionedItem> read_flickr8k(const std::filesystem::path& folder);
/// BEIR: corpus.jsonl (_id, title, text), queries.jsonl (_id, text), qrels/{train,dev,test}.tsv with a header line.
/// Judgements of score 0 or less are dropped. No embeddings yet.
Corpus read_beir(const std::filesystem::path& folder);

/// Captions as queries and judgements under a protocol (no embeddings yet).
Corpus corpus_of(std::span<const CaptionedItem> items, std::string_view protocol);

}  // namespace ace
