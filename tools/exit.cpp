#include "tools/exit.h"

#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <new>

#include "ace/text.h"
#include "tools/signals.h"
#include "tools/usage.h"

namespace tools {
namespace {

const char* program = "";

/// The file that is mapped where `address` is, or nothing.
std::string mapped_file(uintptr_t address) {
  std::ifstream maps("/proc/self/maps");  // BEGIN-END rights offset device inode path
  for (std::string line; std::getline(maps, line);) {
    uintptr_t begin = 0, end = 0;
    int path = 0;
    if (std::sscanf(line.c_str(), "%zx-%zx %*s %*s %*s %*s %n", &begin, &end, &path) < 2) continue;
    if (begin <= address && address < end) return path ? line.substr(size_t(path)) : "";
  }
  return "";
}

/// A mapped file that another program cuts, or that its disk fails to give, is found out where it is read: by this
/// signal, sent to the thread that reads.
void on_bus_error(int signal, siginfo_t* info, void*) {
  const std::string file = mapped_file(reinterpret_cast<uintptr_t>(info->si_addr));
  if (file.empty()) {
    std::signal(signal, SIG_DFL);  // a fault of another kind: it comes again
    return;
  }
  tell(fmt::format("{}: error: {}: cannot be read any more: cut while in use, or its disk failed\n", program,
                   ace::escape(file)));
  std::_Exit(1);
}

}  // namespace

int exit_code(const char* name, const std::function<int()>& body) {
  const auto fail_with = [name](int code, const char* message) {
    tell(fmt::format("{}: error: {}\n", name, message));
    return code;
  };
  program = name;
  struct sigaction bus = {};
  bus.sa_sigaction = on_bus_error;
  bus.sa_flags = SA_SIGINFO;
  sigaction(SIGBUS, &bus, nullptr);
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
