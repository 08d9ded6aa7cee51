#pragma once
#include <cstdint>
#include <string>

#include "tests/simt/fiber.h"
#include "tests/simt/runner.h"

/// What the runner knows of the block that runs.
namespace simt {

inline constexpr int most_threads = 1024, warp_lanes = 32, most_warps = most_threads / warp_lanes;

enum class State : uint8_t { ready, at_barrier, in_warp, done };

/// One CUDA thread, and what it waits for.
struct Thread {
  Fiber* fiber;
  uint3 index;
  State state;
  bool fenced;
  bool predicate;  // at a barrier: what it was given; `result`: what it gives
  int result;
  const char* what;  // __syncthreads, __shfl_sync, …
  Where where;
  uint32_t mask;  // in a warp's operation
  void* mine;
  void (*complete)(void* const*, uint32_t);
};

struct Warp {
  uint32_t waiting;    // lanes in an operation of the warp
  uint32_t masks[15];  // of its __syncwarp's so far
  int masks_known;
};

struct Block {
  int threads;
  int finished, arrived;  // threads that have ended; that stand at a barrier
  Thread* running;
  Thread thread[most_threads];
  Warp warp[most_warps];
  void* shared;
  // What the thread sanitizer identifies waits by: addresses that no other block has. The first is the barrier's.
  uint64_t* waits;
  const std::string* failure;  // of `running`, when it called fail()
};

/// Whether two threads stand at the same place of the kernel's text.
bool same_place(const Thread& a, const Thread& b);
/// "file:line".
std::string text_of(const Where& where);
/// "(3, 0, 0)".
std::string text_of(uint3 index);
/// Why nobody in this block can go on, as seen by *who, a thread that waits.
std::string diagnosis(const Block& block, const Thread** who);

}  // namespace simt
