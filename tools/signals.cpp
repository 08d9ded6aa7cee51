#include "tools/signals.h"

#include <csignal>

#include "ace/stop.h"

namespace tools {
namespace {

void on_signal(int signal) {
  ace::stop_signal() = signal;
  if (signal == SIGHUP) return;  // a terminal that closes sends one, and its shell another
  std::signal(signal, SIG_DFL);
}

}  // namespace

void catch_signals() {
  ace::stop_signal() = 0;  // makes the flag before a handler could
  std::signal(SIGPIPE, SIG_IGN);
  struct sigaction stop = {}, before = {};
  stop.sa_handler = on_signal;
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    sigaction(signal, nullptr, &before);
    if (before.sa_handler == SIG_IGN) continue;  // as nohup wants it, or a shell for what runs in the background
    sigaction(signal, &stop, nullptr);
  }
}

}  // namespace tools
