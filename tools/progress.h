#pragma once
#include "ace/progress.h"

namespace tools {

/// Draws progress on standard error: on a terminal one line that is rewritten, with rate and time left; piped, a plain
/// line at most every ten seconds and at the end of each stage. Quiet: nothing. What cannot be written is left out.
ace::Progress make_progress(bool quiet);
/// The same for a stage without checkpoints: throws Stopped (tools/signals.h) once a signal asked for it.
ace::Progress make_stopping_progress(bool quiet);

}  // namespace tools
