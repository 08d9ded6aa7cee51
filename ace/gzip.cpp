#include "ace/gzip.h"

#include <zlib.h>

#include <cerrno>
#include <cstring>
#include <memory>

#include "tensor/error.h"

namespace ace {

std::string read_gzip(const std::filesystem::path& path, size_t limit) {
  using Type = std::filesystem::file_type;
  const std::string name = tensor::name_of(path);
  std::error_code ignored;
  const Type type = std::filesystem::status(path, ignored).type();  // a pipe would keep us waiting
  tensor::check(type == Type::regular || type == Type::not_found || type == Type::none,
                "{}: expected a file, found a {}", name, type == Type::directory ? "folder" : "pipe or device");
  errno = 0;
  const std::unique_ptr<gzFile_s, int (*)(gzFile)> file(gzopen(path.c_str(), "rb"), &gzclose);
  tensor::check(file != nullptr, "{}: cannot open: {}", name, std::strerror(errno ? errno : ENOMEM));
  constexpr size_t step = 1 << 18;
  std::string text;
  while (true) {
    const size_t size = text.size();
    text.resize(size + step);
    const int count = gzread(file.get(), text.data() + size, unsigned(step));
    int code = Z_OK;
    std::string_view message = gzerror(file.get(), &code);
    if (message.starts_with(path.string() + ": ")) message.remove_prefix(path.string().size() + 2);
    tensor::check(count >= 0 && (code == Z_OK || code == Z_STREAM_END), "{}: expected a whole gzip file, found: {}",
                  name, code == Z_ERRNO ? std::strerror(errno) : message);
    text.resize(size + size_t(count));
    tensor::check(text.size() <= limit, "{}: expected at most {} bytes of text, found more", name, limit);
    if (count == 0) return text;
  }
}

}  // namespace ace
