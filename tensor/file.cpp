#include "tensor/file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace tensor {
namespace {

/// `run/x: cannot write: No space left on device`
[[noreturn]] void fail_system(const std::filesystem::path& path, const char* what, int error = errno) {
  fail("{}: cannot {}: {}", name_of(path), what, std::strerror(error));
}

/// A file descriptor that closes itself.
class Descriptor {
 public:
  Descriptor(const std::filesystem::path& path, int flags) : number_(::open(path.c_str(), flags | O_CLOEXEC)) {
    if (number_ < 0) fail_system(path, "open");
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() { ::close(number_); }
  operator int() const { return number_; }

 private:
  int number_;
};

struct stat status_of(int descriptor, const std::filesystem::path& path) {
  struct stat status;
  if (::fstat(descriptor, &status) != 0) fail_system(path, "open");
  if (S_ISDIR(status.st_mode)) fail_system(path, "read", EISDIR);
  return status;
}

std::filesystem::path folder_of(const std::filesystem::path& path) {
  return path.has_parent_path() ? path.parent_path() : ".";
}

}  // namespace

MappedFile::MappedFile(const std::filesystem::path& path) {
  const Descriptor file(path, O_RDONLY | O_NONBLOCK);  // O_NONBLOCK: opening a pipe must not wait for its writer
  const struct stat status = status_of(file, path);
  check(S_ISREG(status.st_mode), "{}: expected a regular file", name_of(path));
  size_ = size_t(status.st_size);
  if (size_ == 0) return;
  void* const data = ::mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, file, 0);
  if (data == MAP_FAILED) fail_system(path, "map");
  data_ = std::shared_ptr<void>(data, [size = size_](void* p) { ::munmap(p, size); });
}

std::string read_file(const std::filesystem::path& path, size_t limit) {
  const Descriptor file(path, O_RDONLY);
  const size_t expected = size_t(std::max<off_t>(status_of(file, path).st_size, 0));
  const auto check_size = [&](size_t size) {
    check(size <= limit, "{}: expected at most {} bytes, found {}", name_of(path), limit, size);
  };
  check_size(expected);
  std::string text;
  size_t used = 0;
  while (true) {
    if (used == text.size()) text.resize(std::max(expected, used) + 4096);  // a pipe tells no size
    const ssize_t count = ::read(file, text.data() + used, text.size() - used);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail_system(path, "read");
    if (count == 0) break;
    used += size_t(count);
    check_size(used);
  }
  text.resize(used);
  return text;
}

AtomicFile::AtomicFile(std::filesystem::path path) : path_(std::move(path)), temporary_(path_) {
  temporary_ += ".new";
  if (std::error_code ignored; std::filesystem::is_directory(path_, ignored)) fail_system(path_, "write", EISDIR);
  descriptor_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0666);
  if (descriptor_ < 0) fail_system(path_, "write");
}

AtomicFile::~AtomicFile() {
  if (descriptor_ < 0) return;
  ::close(descriptor_);
  ::unlink(temporary_.c_str());
}

void AtomicFile::write(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::write(descriptor_, bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail_system(path_, "write");
    bytes = bytes.subspan(size_t(count));
  }
}

void AtomicFile::sync() {
  if (descriptor_ < 0) return;
  if (::fsync(descriptor_) != 0) fail_system(path_, "write");
  if (::close(std::exchange(descriptor_, -1)) != 0 && errno != EINTR) {
    const int error = errno;
    ::unlink(temporary_.c_str());
    fail_system(path_, "write", error);
  }
}

void AtomicFile::commit() {
  sync();
  if (::rename(temporary_.c_str(), path_.c_str()) != 0) {
    const int error = errno;
    ::unlink(temporary_.c_str());
    fail_system(path_, "write", error);
  }
  sync_folder(folder_of(path_));
}

AtomicFolder::AtomicFolder(const std::filesystem::path& path) : path_(path.lexically_normal()) {
  if (!path_.has_filename()) path_ = path_.parent_path();  // "corpus/"
  std::error_code error;
  if (std::filesystem::exists(std::filesystem::symlink_status(path_, error))) fail_system(path_, "create", EEXIST);
  for (int i = 0;; ++i) {
    temporary_ = path_;
    temporary_ += fmt::format(".{}.new", i);
    if (std::filesystem::create_directory(temporary_, error)) break;
    if (error) fail_system(path_, "create", error.value());  // no error: the name is taken
  }
}

AtomicFolder::~AtomicFolder() {
  std::error_code ignored;
  if (!committed_) std::filesystem::remove_all(temporary_, ignored);
}

void AtomicFolder::commit() {
  const char* const from = temporary_.c_str();
  const char* const to = path_.c_str();
  int status = ::renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE);  // rename would replace an empty folder
  if (status != 0 && (errno == EINVAL || errno == ENOSYS)) status = ::rename(from, to);
  if (status != 0) fail_system(path_, "create");
  committed_ = true;
  sync_folder(folder_of(path_));
}

void write_file(const std::filesystem::path& path, std::string_view text) {
  AtomicFile file(path);
  file.write(text);
  file.commit();
}

bool exists(const std::filesystem::path& path) {
  struct stat status;
  if (::stat(path.c_str(), &status) == 0) return true;
  if (errno != ENOENT && errno != ENOTDIR) fail_system(path, "open");
  return false;
}

void make_folder(const std::filesystem::path& path) {
  if (::mkdir(path.c_str(), 0777) != 0) fail_system(path, "create");
}

void rename_file(const std::filesystem::path& from, const std::filesystem::path& to) {
  if (::rename(from.c_str(), to.c_str()) != 0) fail_system(to, "write");
}

void sync_folder(const std::filesystem::path& folder) {
  const Descriptor descriptor(folder, O_RDONLY | O_DIRECTORY);
  if (::fsync(descriptor) != 0 && errno != EINVAL) fail_system(folder, "write");  // EINVAL: a file system without it
}

}  // namespace tensor
