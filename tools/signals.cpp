#include "tools/signals.h"

#include <csignal>

#include "ace/stop.h"

namespace tools {
namespace {

void on_signal(int signal) {
  ace::stop_signal() = signal;
  if (signal != SIGHUP) std::signal(signal, SIG_DFL);  // which a terminal and its shell both send as they close
}

}  // namespace

void catch_signals() {
  ace::stop_signal() = 0;  // makes the flag before a handler could
  std::signal(SIGPIPE, SIG_IGN);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    struct sigaction action = {};
    sigaction(signal, nullptr, &action);
    if (action.sa_handler == SIG_IGN) continue;  // as nohup wants it, or a shell for what runs in the background
    action = {};
    action.sa_handler = on_signal;
    sigaction(signal, &action, nullptr);
  }
}

}  // namespace tools
