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

/// The size of what must be a file: a pipe would keep its reader waiting, a device might never end.
size_t regular_size(int descriptor, const std::filesystem::path& path) {
  const struct stat status = status_of(descriptor, path);
  check(S_ISREG(status.st_mode), "{}: expected a regular file", name_of(path));
  return size_t(status.st_size);
}
constexpr int for_regular = O_RDONLY | O_NONBLOCK;  // opening a pipe must not wait for its writer

std::string read_whole(int file, const std::filesystem::path& path, size_t expected, size_t limit) {
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

std::filesystem::path folder_of(const std::filesystem::path& path) {
  return path.has_parent_path() ? path.parent_path() : ".";
}

/// "corpus/" is "corpus".
std::filesystem::path without_slash(const std::filesystem::path& path) {
  const std::filesystem::path normal = path.lexically_normal();
  return normal.has_filename() ? normal : normal.parent_path();
}

/// The i-th temporary name beside a path that does not exist yet.
std::filesystem::path beside(std::filesystem::path path, int i) { return path += fmt::format(".{}.new", i); }

/// rename() would replace a file or an empty folder that has appeared meanwhile. Gives 0, or −1 and errno.
int rename_to_new(const std::filesystem::path& from, const std::filesystem::path& to) {
  const int status = ::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE);
  return status != 0 && (errno == EINVAL || errno == ENOSYS) ? ::rename(from.c_str(), to.c_str()) : status;
}

}  // namespace

MappedFile::MappedFile(const std::filesystem::path& path) {
  const Descriptor file(path, for_regular);
  size_ = regular_size(file, path);
  if (size_ == 0) return;
  void* const data = ::mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, file, 0);
  if (data == MAP_FAILED) fail_system(path, "map");
  data_ = std::shared_ptr<void>(data, [size = size_](void* p) { ::munmap(p, size); });
}

std::string read_file(const std::filesystem::path& path, size_t limit) {
  const Descriptor file(path, for_regular);
  return read_whole(file, path, regular_size(file, path), limit);
}

std::string read_input(const std::filesystem::path& path, size_t limit) {
  const Descriptor file(path, O_RDONLY);
  return read_whole(file, path, size_t(std::max<off_t>(status_of(file, path).st_size, 0)), limit);
}

AtomicFile::AtomicFile(std::filesystem::path path, bool fresh) : path_(std::move(path)), fresh_(fresh) {
  if (fresh) check_new(path_);
  if (std::error_code ignored; std::filesystem::is_directory(path_, ignored)) fail_system(path_, "write", EISDIR);
  const int flags = O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | (fresh ? O_EXCL : O_TRUNC);
  for (int i = 0; descriptor_ < 0; ++i) {
    temporary_ = fresh ? beside(path_, i) : std::filesystem::path(path_) += ".new";
    descriptor_ = ::open(temporary_.c_str(), flags, 0666);
    if (descriptor_ < 0 && !(fresh && errno == EEXIST)) fail_system(path_, "write");
  }
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
  if ((fresh_ ? rename_to_new(temporary_, path_) : ::rename(temporary_.c_str(), path_.c_str())) != 0) {
    const int error = errno;
    ::unlink(temporary_.c_str());
    fail_system(path_, "write", error);
  }
  sync_folder(folder_of(path_));
}

AtomicFolder::AtomicFolder(const std::filesystem::path& path) : path_(without_slash(path)) {
  check_new(path_);
  std::error_code error;
  for (int i = 0;; ++i) {
    temporary_ = beside(path_, i);
    if (std::filesystem::create_directory(temporary_, error)) break;
    if (error) fail_system(path_, "create", error.value());  // no error: the name is taken
  }
}

AtomicFolder::~AtomicFolder() {
  std::error_code ignored;
  if (!committed_) std::filesystem::remove_all(temporary_, ignored);
}

void AtomicFolder::commit() {
  if (rename_to_new(temporary_, path_) != 0) fail_system(path_, "create");
  committed_ = true;
  sync_folder(folder_of(path_));
}

void write_file(const std::filesystem::path& path, std::string_view text) {
  AtomicFile file(path);
  file.write(text);
  file.commit();
}

void write_new_file(const std::filesystem::path& path, std::string_view text) {
  AtomicFile file(path, true);
  file.write(text);
  file.commit();
}

void check_new(const std::filesystem::path& path) {
  check(!path.empty(), "expected the name of a file or folder to make, found an empty one");
  struct stat status;
  if (::lstat(without_slash(path).c_str(), &status) == 0) fail("{}: exists already", name_of(path));
  if (errno != ENOENT) fail_system(path, "create");
  if (::access((folder_of(without_slash(path)) / ".").c_str(), W_OK | X_OK) != 0) fail_system(path, "create");
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
