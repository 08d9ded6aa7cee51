#pragma once
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "ace/corpus.h"
#include "ace/identifiers.h"
#include "ace/progress.h"
#include "ace/settings.h"
#include "ace/tokenizer.h"
#include "ace/trie.h"
#include "tensor/safetensors.h"

namespace ace {

/// What a run folder holds: size and XXH64 of each file by its name. Names are those of the table in manifest.cpp.
struct ManifestEntry {
  int64_t bytes = 0;
  std::string checksum;
  bool operator==(const ManifestEntry&) const = default;
};
using Manifest = std::map<std::string, ManifestEntry>;

/// A run folder: everything a retriever needs (file formats: README, "Run folder"). File names are fixed;
/// `manifest.json` holds size and XXH64 of each and is written last.
///
/// - by identify: settings.toml, items.jsonl, identifiers.npy, identifiers.json (vocabulary sizes, quality, corpus path
///   and checksum), trie.bin, tokenizer.tsv, kmeans.safetensors, rqvae.safetensors
/// - by train: retriever.safetensors (the best weights), checkpoint.safetensors (weights, moments, step), log.jsonl
class Run {
 public:
  /// Opens and verifies a run folder: manifest, sizes, checksums, and that the parts agree. A commit that was cut off
  /// after its manifest was in place is completed first, any other leftover removed. Opening and committing exclude
  /// each other (a lock on the folder), so that a run can be searched while it is trained.
  static Run open(const std::filesystem::path& folder);
  /// The same for a training: fails while another Run opened by this, here or in another process, lives.
  static Run open_to_train(const std::filesystem::path& folder);
  /// Builds a new run folder from files (name → bytes) under a temporary name beside it, then renames it.
  /// Fails if `folder` exists.
  static Run create(const std::filesystem::path& folder, std::map<std::string, std::string> files,
                    const Progress& progress = {});
  /// Replaces or adds files, all or none: each is written and synced as `<name>.new`, then `manifest.next.json`, then
  /// all are renamed and the manifest last.
  void commit(const std::map<std::string, std::string>& files);

  const std::filesystem::path& folder() const { return folder_; }
  bool has(const std::string& name) const { return manifest_.contains(name); }
  /// Path of a file that the manifest lists; fails, naming the verb that makes it, when it is not there.
  std::filesystem::path path(const std::string& name) const;
  std::string text(const std::string& name) const;
  Tokenizer tokenizer() const;

  Settings settings;
  std::vector<Item> items;
  Identifiers identifiers;
  Trie trie;  ///< over all items: trie.bin, or built where a run has none
  std::string corpus_path, corpus_checksum;
  std::string quality_json;  ///< what `identify` reported

  /// items.jsonl and identifiers.json, as create wants them. `quality` is a JSON document.
  static std::string items_jsonl(const std::vector<Item>& items) { return items_text(items); }
  static std::string identifiers_json(const std::vector<int64_t>& vocabulary, const std::string& corpus_path,
                                      const std::string& corpus_checksum, const std::string& quality);

 private:
  void load_parts();
  std::filesystem::path folder_;
  Manifest manifest_;
  std::shared_ptr<const void> training_;  ///< the lock of open_to_train
};

}  // namespace ace
