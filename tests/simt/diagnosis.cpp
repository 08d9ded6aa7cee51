#include <cstdio>
#include <cstring>

#include "tests/simt/block.h"

namespace simt {
namespace {

/// Where a thread is that others wait for in vain.
std::string whereabouts(const Thread& t) {
  const std::string who = "thread " + text_of(t.index);
  if (t.state == State::done) return who + " has ended";
  std::string text = who + " waits at " + t.what + ", " + text_of(t.where);
  if (t.state == State::in_warp) {
    char mask[32];
    std::snprintf(mask, sizeof mask, ", mask 0x%08x", t.mask);
    text += mask;
  }
  return text;
}

bool waits_with(const Thread& t, const Thread& first) {
  if (t.state != first.state || !same_place(t, first)) return false;
  return t.state == State::at_barrier || t.mask == first.mask;
}

}  // namespace

bool same_place(const Thread& a, const Thread& b) {
  return a.what == b.what && a.where.line() == b.where.line() && a.where.column() == b.where.column() &&
         (a.where.file_name() == b.where.file_name() || std::strcmp(a.where.file_name(), b.where.file_name()) == 0);
}

std::string text_of(const Where& where) { return where.file_name() + (":" + std::to_string(where.line())); }

std::string text_of(uint3 i) {
  return "(" + std::to_string(i.x) + ", " + std::to_string(i.y) + ", " + std::to_string(i.z) + ")";
}

std::string diagnosis(const Block& block, const Thread** who) {
  // A lane that is missing in its warp may stand at a barrier, and then many wait there for the warp.
  const Thread *first = block.thread, *const end = block.thread + block.threads;
  while (first != end && first->state != State::in_warp) ++first;
  if (first == end) first = block.thread;
  while (first->state == State::done) ++first;
  *who = first;
  const int base = first->state == State::at_barrier ? 0 : int(first - block.thread) / warp_lanes * warp_lanes;
  const int awaited = first->state == State::at_barrier ? block.threads : warp_lanes;
  const uint32_t mask = first->state == State::at_barrier ? 0 : first->mask;
  int here = 0;
  std::string missing;
  for (int i = 0; i < awaited; ++i) {
    if (first->state == State::in_warp && (mask >> i & 1) == 0) continue;
    if (base + i >= block.threads) {
      if (missing.empty()) missing = "lane " + std::to_string(i) + " does not exist";
    } else if (const Thread& t = block.thread[base + i]; waits_with(t, *first)) {
      ++here;
    } else if (missing.empty()) {
      missing = whereabouts(t);
    }
  }
  char text[128];
  if (first->state == State::at_barrier) {
    std::snprintf(text, sizeof text, "%s is reached by %d of %d threads: ", first->what, here, awaited);
  } else {
    std::snprintf(text, sizeof text, "%s is reached by %d of the %d lanes in its mask 0x%08x: ", first->what, here,
                  __builtin_popcount(mask), mask);
  }
  return text + missing;
}

}  // namespace simt
