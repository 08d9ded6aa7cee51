#pragma once
#include <CLI/CLI.hpp>
#include <string>

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

/// Has every option whose value is called N, of the app and its verbs, take decimal integers alone: CLI11 would read
/// octal and hexadecimal ones, and the nearest it can hold of those too large.
void expect_integers(CLI::App& app);
/// What was wrong with a command line that CLI11 refused, in one line, with the nearest verb or option.
std::string usage_message(const CLI::App& app, const CLI::ParseError& error);

}  // namespace tools
