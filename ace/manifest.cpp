#include "ace/manifest.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <optional>

#include "ace/checksum.h"
#include "ace/text.h"
#include "tensor/file.h"
#include "tensor/json.h"

namespace ace {
namespace {

namespace fs = std::filesystem;
using tensor::check;
using tensor::fail;
using tensor::name_of;
using tensor::one_line;

constexpr RunFile files_of_a_run[] = {
    {"settings.toml", "identify"},
    {"items.jsonl", "identify"},
    {"identifiers.npy", "identify"},
    {"identifiers.json", "identify"},
    {"trie.bin", "identify"},
    {"tokenizer.tsv", "identify"},
    {"kmeans.safetensors", "identify"},
    {"rqvae.safetensors", "identify"},
    {"retriever.safetensors", "train"},
    {"checkpoint.safetensors", "train"},
    {"log.jsonl", "train"},
};

fs::path new_path(const fs::path& folder, std::string_view name) { return folder / fmt::format("{}.new", name); }

bool verifies(const fs::path& path, const ManifestEntry& entry) {
  try {
    verify_file(path, entry);
    return true;
  } catch (const tensor::Error&) {
    return false;
  }
}

/// Removes what a commit that did not reach its point of no return left behind. On a medium that cannot be written the
/// leftovers stay, and do no harm.
void remove_leftovers(const fs::path& folder) {
  std::error_code ignored;
  fs::remove(folder / next_manifest_name, ignored);
  fs::remove(new_path(folder, next_manifest_name), ignored);
  for (const RunFile& file : run_files()) fs::remove(new_path(folder, file.name), ignored);
}

/// The steps after the point of no return; files without a `.new` have been renamed before.
void roll_forward(const fs::path& folder, const Manifest& next) {
  for (const auto& [name, entry] : next) {
    const fs::path from = new_path(folder, name);
    if (tensor::exists(from)) tensor::rename_file(from, folder / name);
  }
  tensor::sync_folder(folder);
  tensor::rename_file(folder / next_manifest_name, folder / manifest_name);
  tensor::sync_folder(folder);
}

bool can_roll_forward(const fs::path& folder, const Manifest& next) {
  return std::all_of(next.begin(), next.end(), [&](const auto& file) {
    const fs::path from = new_path(folder, file.first);
    return verifies(tensor::exists(from) ? from : folder / file.first, file.second);
  });
}

}  // namespace

std::span<const RunFile> run_files() { return files_of_a_run; }

const RunFile& run_file(std::string_view name, std::string_view origin) {
  const auto found =
      std::find_if(std::begin(files_of_a_run), std::end(files_of_a_run), [&](auto& f) { return f.name == name; });
  check(found != std::end(files_of_a_run), "{}: a run has no file {}", origin, quote(name));
  return *found;
}

ManifestEntry entry_of(std::string_view bytes) { return {int64_t(bytes.size()), Checksum().add(bytes).text()}; }

std::string manifest_text(const Manifest& manifest) {
  std::string text = "{\n  \"format\": 1,\n  \"files\": {";
  const char* separator = "\n";
  for (const auto& [name, entry] : manifest) {
    text +=
        fmt::format("{}    \"{}\": {{\"bytes\": {}, \"xxh64\": \"{}\"}}", separator, name, entry.bytes, entry.checksum);
    separator = ",\n";
  }
  return text + "\n  }\n}\n";
}

Manifest parse_manifest(std::string_view text, const std::string& origin) {
  const nlohmann::json json = tensor::parse_json(text, origin, 3);
  Manifest manifest;
  try {
    check(json.at("format") == 1, "{}: expected format 1, found {}", origin, one_line(json.at("format").dump(), 40));
    for (const auto& [name, entry] : json.at("files").items()) {
      run_file(name, origin);
      manifest[name] = {entry.at("bytes").get<int64_t>(), entry.at("xxh64").get<std::string>()};
    }
  } catch (const nlohmann::json::exception&) {
    fail("{}: not the manifest of a run: corrupted", origin);
  }
  check(manifest_text(manifest) == text, "{}: not as it was written: corrupted", origin);
  return manifest;
}

void verify_file(const fs::path& path, const ManifestEntry& entry) {
  check(tensor::exists(path), "{}: missing, though {} lists it", name_of(path), manifest_name);
  const tensor::MappedFile file(path);
  const int64_t bytes = int64_t(file.bytes().size());
  check(bytes == entry.bytes, "{}: expected {} bytes, found {}: the file is corrupted", name_of(path), entry.bytes,
        bytes);
  const std::string checksum = Checksum().add(file.bytes()).text();
  check(checksum == entry.checksum, "{}: checksum differs: expected {}, found {}: the file is corrupted", name_of(path),
        one_line(entry.checksum, 40), checksum);
}

Lock::Lock(const fs::path& path, bool wait) : descriptor_(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC)) {
  if (descriptor_ < 0) return;
  int status = 0;
  do {
    status = ::flock(descriptor_, wait ? LOCK_EX : LOCK_EX | LOCK_NB);
  } while (status != 0 && errno == EINTR);
  refused_ = status != 0 && errno == EWOULDBLOCK;  // a file system without locks (some network ones) is used without
}

Lock::~Lock() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

void commit_files(const fs::path& folder, const Manifest& next, const std::map<std::string, std::string>& files) {
  try {
    for (const auto& [name, bytes] : files) {
      tensor::AtomicFile file(folder / name);
      file.write(bytes);
      file.sync();
    }
    tensor::write_file(folder / next_manifest_name, manifest_text(next));
  } catch (...) {
    remove_leftovers(folder);
    throw;
  }
  roll_forward(folder, next);
}

void recover(const fs::path& folder) {
  const fs::path path = folder / next_manifest_name;
  if (tensor::exists(path)) {
    std::optional<Manifest> next;
    try {
      next = parse_manifest(tensor::read_file(path, 1 << 20), name_of(path));
    } catch (const tensor::Error&) {  // never written whole: the commit did not happen
    }
    if (next && can_roll_forward(folder, *next)) return roll_forward(folder, *next);
  }
  remove_leftovers(folder);
}

}  // namespace ace
