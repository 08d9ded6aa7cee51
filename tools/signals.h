#pragma once

namespace tools {

/// From here on SIGINT, SIGTERM and SIGHUP, those that are not ignored, only set ace::stop_signal(); a second one of
/// the first two ends the program at once. A reader of its output that goes away ends nothing. For verbs that look at
/// the flag; the others keep the system's way.
void catch_signals();
/// Thrown out of a progress report when a stage without checkpoints is to stop: its temporary files go, then the
/// program exits with 128 + signal.
struct Stopped {
  int signal;
};

}  // namespace tools
