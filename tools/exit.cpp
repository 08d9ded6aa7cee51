#include "tools/exit.h"

#include <csignal>
#include <cstdio>
#include <new>

#include "ace/text.h"
#include "tools/signals.h"
#include "tools/usage.h"

namespace tools {

int exit_code(const char* name, const std::function<int()>& body) {
  const auto fail_with = [name](int code, const char* message) {
    tell(fmt::format("{}: error: {}\n", name, message));
    return code;
  };
  std::signal(SIGXFSZ, SIG_IGN);  // a file at the shell's limit then fails as on a full disk, and leaves nothing
  try {
    const int code = body();
    if (std::fflush(stdout) != 0 || std::ferror(stdout)) return fail_with(1, "standard output: cannot be written");
    return code;
  } catch (const UsageError& error) {
    return fail_with(2, error.what());
  } catch (const Stopped& stopped) {
    return 128 + stopped.signal;
  } catch (const std::bad_alloc&) {
    return fail_with(1, "out of memory");
  } catch (const std::exception& error) {
    return fail_with(1, ace::escape(error.what()).c_str());
  }
}

void tell(const std::string& text) { std::fputs(text.c_str(), stderr); }

}  // namespace tools
