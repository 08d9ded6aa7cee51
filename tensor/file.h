#pragma once
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "tensor/error.h"

/// Files: read whole or mapped, written all or not at all (as folders are).
namespace tensor {

/// A file mapped read-only. Fails with one line when it is missing, a directory, a pipe or device, or unreadable.
class MappedFile {
 public:
  explicit MappedFile(const std::filesystem::path& path);
  std::span<const std::byte> bytes() const { return {static_cast<const std::byte*>(data_.get()), size_}; }
  std::string_view text() const { return {static_cast<const char*>(data_.get()), size_}; }
  std::shared_ptr<void> owner() const { return data_; }

 private:
  std::shared_ptr<void> data_;
  size_t size_ = 0;
};

/// The whole file as text. Fails like MappedFile, and when it is larger than `limit` bytes.
std::string read_file(const std::filesystem::path& path, size_t limit = size_t(4) << 30);
/// The same of what somebody names to be read, which may be a pipe as well.
std::string read_input(const std::filesystem::path& path, size_t limit = size_t(4) << 30);

/// A file being written under `<path>.new`: commit() flushes, syncs, renames it to `path` and syncs the folder;
/// without commit() the destructor removes it, so a failure (disk full, no permission) leaves what was there before.
/// A `fresh` one replaces nothing, neither `path` (see check_new) nor what stands beside it: its temporary name is
/// free.
class AtomicFile {
 public:
  explicit AtomicFile(std::filesystem::path path, bool fresh = false);
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;
  ~AtomicFile();
  void write(std::span<const std::byte> bytes);
  void write(std::string_view text) { write(std::as_bytes(std::span(text.data(), text.size()))); }
  /// Syncs and closes the file and keeps it under its temporary name, also past the destructor: for a caller that
  /// renames several files together. Nothing can be written after it.
  void sync();
  void commit();

 private:
  std::filesystem::path path_, temporary_;
  bool fresh_;
  int descriptor_ = -1;
};

/// A folder being built under a temporary name beside `path`: commit() renames it, without commit() the destructor
/// removes it with all that is in it. Fails when `path` exists, at the start or at the end.
class AtomicFolder {
 public:
  explicit AtomicFolder(const std::filesystem::path& path);
  AtomicFolder(const AtomicFolder&) = delete;
  AtomicFolder& operator=(const AtomicFolder&) = delete;
  ~AtomicFolder();
  /// Where to put the files until commit.
  const std::filesystem::path& temporary() const { return temporary_; }
  void commit();

 private:
  std::filesystem::path path_, temporary_;
  bool committed_ = false;
};

/// AtomicFile for a text at hand, and a fresh one.
void write_file(const std::filesystem::path& path, std::string_view text);
void write_new_file(const std::filesystem::path& path, std::string_view text);
/// Fails with one line unless a file or folder of that name can be made: nothing has it, and what it is to stand in is
/// there and may be written. For the start of a long work.
void check_new(const std::filesystem::path& path);
/// Whether there is a file or folder of that name; fails with one line when that cannot be told (no permission).
bool exists(const std::filesystem::path& path);
/// Makes one folder; fails with one line.
void make_folder(const std::filesystem::path& path);
/// Renames, replacing what was there; fails with one line. Durable after sync_folder.
void rename_file(const std::filesystem::path& from, const std::filesystem::path& to);
/// Makes renames and removals in `folder` durable.
void sync_folder(const std::filesystem::path& folder);

}  // namespace tensor
