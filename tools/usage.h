#pragma once
#include "tensor/error.h"

namespace tools {

/// Wrong use of the command line: exit code 2 instead of 1.
struct UsageError : tensor::Error {
  using tensor::Error::Error;
};
template <class... Args>
[[noreturn]] void fail_usage(fmt::format_string<Args...> format, Args&&... args) {
  throw UsageError(fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace tools
