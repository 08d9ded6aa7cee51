#include "tests/simt/runner.h"

// What the sanitizers call: not instrumented, or the thread sanitizer would look into its own report and wait for
// itself.
namespace {
int races = 0;
}

extern "C" void __tsan_on_report(void*) { ++races; }
extern "C" const char* __tsan_default_options() { return "history_size=1 atexit_sleep_ms=0"; }
extern "C" const char* __asan_default_options() { return "detect_leaks=0"; }

int simt::races_seen() { return races; }
