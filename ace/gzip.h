#pragma once
#include <cstddef>
#include <filesystem>
#include <string>

namespace ace {

/// The whole text of a gzip file (several members are joined; a file that is not compressed is given as it is). Fails
/// when it is missing, damaged or cut off, or when the text would be larger than `limit` bytes.
std::string read_gzip(const std::filesystem::path& path, size_t limit = size_t(1) << 30);

}  // namespace ace
