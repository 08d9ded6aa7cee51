#pragma once
#include <functional>
#include <string>

namespace tools {

/// Runs what a main does and gives its exit code. Errors become one line `NAME: error: …` on standard error: 2 for
/// wrong usage, 128 + signal for a stop in good order, else 1; so do a standard output that cannot be written and a
/// mapped file that is cut while it is read.
int exit_code(const char* name, const std::function<int()>& body);
/// Text on standard error. What cannot be written there, on a terminal that is gone, is left out.
void tell(const std::string& text);

}  // namespace tools
