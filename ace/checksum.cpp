#include "ace/checksum.h"

#include <fmt/format.h>

namespace ace {

std::string Checksum::text() const { return fmt::format("{:016x}", XXH64_digest(state_.get())); }

}  // namespace ace
