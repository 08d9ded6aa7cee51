#pragma once
#include <span>

#include "ace/run.h"

/// The pieces that Run is made of: the manifest, what it promises, and the journal that keeps the promise in a crash.
namespace ace {

constexpr const char* manifest_name = "manifest.json";
constexpr const char* next_manifest_name = "manifest.next.json";

/// A file that a run may hold, and the verb that makes it.
struct RunFile {
  std::string_view name, verb;
};
std::span<const RunFile> run_files();
/// The row of that name; fails on any other name, which also keeps paths from leaving the folder.
const RunFile& run_file(std::string_view name, std::string_view origin);

ManifestEntry entry_of(std::string_view bytes);
std::string manifest_text(const Manifest& manifest);
/// Reads exactly what manifest_text writes; a changed byte fails.
Manifest parse_manifest(std::string_view text, const std::string& origin);
/// Checks that the file has the size and checksum of its entry.
void verify_file(const std::filesystem::path& path, const ManifestEntry& entry);

/// Excludes other locks on this file or folder, in this process and others, as long as it lives. On the folder: for an
/// opening or a commit. On its items.jsonl, which never changes: for a whole training.
class Lock {
 public:
  explicit Lock(const std::filesystem::path& path, bool wait = true);
  Lock(const Lock&) = delete;
  Lock& operator=(const Lock&) = delete;
  ~Lock();
  /// Without `wait`: there is another.
  bool refused() const { return refused_; }

 private:
  int descriptor_;
  bool refused_ = false;
};

/// Replaces or adds files, all or none. Steps: each as `<name>.new`, synced · manifest.next.json, which is the point of
/// no return · each renamed · the manifest renamed.
void commit_files(const std::filesystem::path& folder, const Manifest& next,
                  const std::map<std::string, std::string>& files);
/// Ends what a crash interrupted: with a manifest.next.json whose files are all there, in either place, the commit is
/// completed; otherwise its leftovers are removed.
void recover(const std::filesystem::path& folder);

}  // namespace ace
