#include "tools/progress.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <memory>
#include <string>

#include "ace/stop.h"
#include "ace/text.h"
#include "tools/exit.h"
#include "tools/signals.h"

namespace tools {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_between(Clock::time_point from, Clock::time_point to) {
  return std::chrono::duration<double>(to - from).count();
}

std::string duration_text(double seconds) {
  const auto whole = int64_t(seconds + 0.5);
  if (whole >= 3600) return fmt::format("{}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60);
  return fmt::format("{}:{:02}", whole / 60, whole % 60);
}

size_t terminal_columns() {
  winsize size{};
  return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

class Display {
 public:
  Display() : terminal_(isatty(STDERR_FILENO)) {}
  Display(const Display&) = delete;
  Display& operator=(const Display&) = delete;
  ~Display() { end_line(); }

  void show(const ace::ProgressStep& step) {
    const Clock::time_point now = Clock::now();
    if (step.stage != stage_ || step.done < last_done_) begin(step, now);
    last_done_ = step.done;
    const bool finished = step.total > 0 && step.done >= step.total;
    if (!finished && seconds_between(drawn_, now) < (terminal_ ? 0.1 : 10)) return;
    drawn_ = now;
    draw(line(step, now), finished);
  }

 private:
  void begin(const ace::ProgressStep& step, Clock::time_point now) {
    end_line();
    stage_ = step.stage;
    first_done_ = step.done;
    started_ = now;
    drawn_ = terminal_ ? Clock::time_point() : now;
  }

  std::string line(const ace::ProgressStep& step, Clock::time_point now) const {
    std::string text = ace::escape(step.stage);
    if (step.total > 0) text += fmt::format("  {}/{}", step.done, step.total);
    const double elapsed = seconds_between(started_, now);
    const double rate = elapsed > 0 ? double(step.done - first_done_) / elapsed : 0;
    if (rate > 0) {
      text += fmt::format("  {:.{}f}/s", rate, rate < 10 ? 2 : 0);
      if (step.done < step.total)
        text += fmt::format("  {} left", duration_text(double(step.total - step.done) / rate));
    }
    if (!step.note.empty()) text += "  " + ace::escape(step.note);
    return text;
  }

  void draw(const std::string& text, bool finished) {
    if (terminal_) {
      tell("\r\x1b[K" + text.substr(0, terminal_columns() - 1));
      open_ = true;
      if (finished) end_line();
    } else {
      tell(text + "\n");
    }
  }

  void end_line() {
    if (open_) tell("\n");
    open_ = false;
  }

  bool terminal_, open_ = false;
  std::string stage_;
  int64_t first_done_ = 0, last_done_ = 0;
  Clock::time_point started_, drawn_;
};

}  // namespace

ace::Progress make_progress(bool quiet) {
  if (quiet) return {};
  const auto display = std::make_shared<Display>();
  return {[display](const ace::ProgressStep& step) { display->show(step); }};
}

ace::Progress make_stopping_progress(bool quiet) {
  return {[progress = make_progress(quiet)](const ace::ProgressStep& step) {
    if (const int signal = ace::stop_signal()) throw Stopped{signal};
    progress(step);
  }};
}

}  // namespace tools
