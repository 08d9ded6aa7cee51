#pragma once
#include <xxhash.h>

#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace ace {

/// XXH64 of bytes that come in pieces: finds damage, not malice.
class Checksum {
 public:
  Checksum() : state_(XXH64_createState(), &XXH64_freeState) { XXH64_reset(state_.get(), 0); }
  Checksum& add(std::span<const std::byte> bytes) {
    if (!bytes.empty()) XXH64_update(state_.get(), bytes.data(), bytes.size());
    return *this;
  }
  Checksum& add(std::string_view text) { return add(std::as_bytes(std::span(text.data(), text.size()))); }
  /// 16 hexadecimal digits.
  std::string text() const;

 private:
  std::unique_ptr<XXH64_state_t, decltype(&XXH64_freeState)> state_;
};

}  // namespace ace
