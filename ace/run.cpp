#include "ace/run.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "ace/manifest.h"
#include "tensor/file.h"
#include "tensor/json.h"
#include "tensor/npy.h"

namespace ace {
namespace {

namespace fs = std::filesystem;
using tensor::check;
using tensor::fail;
using tensor::name_of;
using tensor::one_line;

/// Fails, saying what the path is instead, when it is not a run folder.
void check_folder(const fs::path& folder) {
  check(tensor::exists(folder), "{}: no such run folder", name_of(folder));
  check(fs::is_directory(folder), "{}: expected a run folder, found a file", name_of(folder));
  if (tensor::exists(folder / manifest_name)) return;
  fail("{}: not a run folder: {} is missing{}", name_of(folder), manifest_name,
       tensor::exists(folder / "corpus.jsonl") ? " (it is a corpus: `ace identify` makes a run from it)" : "");
}

std::vector<int64_t> vocabulary_of(const nlohmann::json& json, const std::string& file) {
  std::vector<int64_t> vocabulary;
  check(json.is_array(), "{}: expected a list in \"vocabulary\"", file);
  for (const nlohmann::json& size : json) {
    constexpr int64_t most = std::numeric_limits<int32_t>::max();
    const bool fits = size.is_number_unsigned() && size.get<uint64_t>() >= 1 && size.get<uint64_t>() <= uint64_t(most);
    check(fits, "{}: expected vocabulary sizes from 1 to {}, found {}", file, most, one_line(size.dump(), 40));
    vocabulary.push_back(size.get<int64_t>());
  }
  return vocabulary;
}

/// Whether this is a report as `identify` writes it, as far as who prints it relies on that.
bool is_quality(const nlohmann::json& json) {
  if (!json.is_object()) return false;
  const nlohmann::json codebooks = json.value("codebooks", nlohmann::json::array());
  return std::all_of(codebooks.begin(), codebooks.end(), [](const auto& codebook) { return codebook.is_object(); });
}

}  // namespace

Run Run::open(const fs::path& folder) {
  check_folder(folder);
  const Lock lock(folder);
  recover(folder);
  Run run;
  run.folder_ = folder;
  const fs::path manifest = folder / manifest_name;
  run.manifest_ = parse_manifest(tensor::read_file(manifest, 1 << 20), name_of(manifest));
  for (const auto& [name, entry] : run.manifest_) verify_file(folder / name, entry);
  run.load_parts();
  return run;
}

Run Run::open_to_train(const fs::path& folder) {
  const auto lock = std::make_shared<Lock>(folder / "items.jsonl", false);
  check(!lock->refused(), "{}: another training runs on it", name_of(folder));
  Run run = open(folder);  // under the lock: it holds all that an earlier training committed
  run.training_ = lock;
  return run;
}

Run Run::create(const fs::path& folder, std::map<std::string, std::string> files, const Progress& progress) {
  tensor::AtomicFolder building(folder);
  Run run;
  run.folder_ = building.temporary();
  const int64_t steps = int64_t(files.size()) + 1;  // the last one reads what was written
  int64_t done = 0;
  for (auto& [name, bytes] : files) {
    progress("run", done++, steps);
    run_file(name, name_of(folder));
    run.manifest_[name] = entry_of(bytes);
    tensor::write_file(run.folder_ / name, bytes);
    bytes = std::string();  // what the files hold of ten million items is read back next; {} would keep the memory
  }
  tensor::write_file(run.folder_ / manifest_name, manifest_text(run.manifest_));
  progress("run", done, steps);
  run.load_parts();
  progress("run", steps, steps);
  building.commit();
  run.folder_ = folder;
  return run;
}

void Run::commit(const std::map<std::string, std::string>& files) {
  const Lock lock(folder_);
  recover(folder_);
  // What another process committed since we opened the run stays.
  const fs::path manifest = folder_ / manifest_name;
  Manifest next = parse_manifest(tensor::read_file(manifest, 1 << 20), name_of(manifest));
  for (const auto& [name, bytes] : files) {
    run_file(name, name_of(folder_));
    next[name] = entry_of(bytes);
  }
  commit_files(folder_, next, files);
  manifest_ = next;
  const auto is_part = [](const auto& file) { return run_file(file.first, "").verb == "identify"; };
  if (std::any_of(files.begin(), files.end(), is_part)) load_parts();
}

fs::path Run::path(const std::string& name) const {
  check(has(name), "{}: {} is not there yet: `ace {}` makes it", name_of(folder_), one_line(name),
        run_file(name, name_of(folder_)).verb);
  return folder_ / name;
}

std::string Run::text(const std::string& name) const { return tensor::read_file(path(name)); }

Tokenizer Run::tokenizer() const { return Tokenizer::parse(text("tokenizer.tsv"), name_of(path("tokenizer.tsv"))); }

void Run::load_parts() {
  settings = Settings();
  parse_settings(settings, text("settings.toml"), name_of(path("settings.toml")));
  items = parse_items(tensor::MappedFile(path("items.jsonl")).text(), name_of(path("items.jsonl")));

  const std::string description = name_of(path("identifiers.json"));
  const nlohmann::json json = tensor::parse_json(text("identifiers.json"), description, 16);
  try {
    identifiers.vocabulary = vocabulary_of(json.at("vocabulary"), description);
    corpus_path = json.at("corpus").at("path").get<std::string>();
    corpus_checksum = json.at("corpus").at("checksum").get<std::string>();
    quality_json = json.at("quality").dump();
  } catch (const nlohmann::json::exception&) {
    fail("{}: expected \"vocabulary\", \"corpus\" with \"path\" and \"checksum\", and \"quality\"", description);
  }
  check(is_quality(json["quality"]), "{}: expected \"quality\" to be an object, its \"codebooks\" a list of objects",
        description);

  const std::string table = name_of(path("identifiers.npy"));
  const tensor::Tensor tokens = tensor::read_npy(path("identifiers.npy"));
  const int64_t count = int64_t(items.size()), positions = int64_t(identifiers.vocabulary.size());
  check(tokens.dtype() == tensor::DType::i32 && positions >= 1 && tokens.shape() == tensor::Shape({count, positions}),
        "{}: expected int32 [{}, {}] (items, positions), found {} {}", table, count, positions, name_of(tokens.dtype()),
        tokens.shape());
  identifiers.tokens = tokens;
  trie = has("trie.bin") ? Trie::open(path("trie.bin"), identifiers) : Trie(identifiers, {}, table);
}

std::string Run::identifiers_json(const std::vector<int64_t>& vocabulary, const std::string& corpus_path,
                                  const std::string& corpus_checksum, const std::string& quality) {
  return fmt::format(
      "{{\n\"vocabulary\": [{}],\n\"corpus\": {{\"path\": {}, \"checksum\": {}}},\n\"quality\": {}\n}}\n",
      fmt::join(vocabulary, ", "), tensor::json_string(corpus_path, "corpus"),
      tensor::json_string(corpus_checksum, "corpus"), quality);
}

}  // namespace ace
