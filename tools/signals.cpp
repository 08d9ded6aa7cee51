#include "tools/signals.h"

#include <csignal>

#include "ace/stop.h"

namespace tools {
namespace {

void on_signal(int signal) {
  ace::stop_signal() = signal;
  std::signal(signal, SIG_DFL);
}

}  // namespace

void catch_signals() {
  ace::stop_signal() = 0;  // makes the flag before a handler could
  struct sigaction action = {};
  action.sa_handler = on_signal;
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

}  // namespace tools
