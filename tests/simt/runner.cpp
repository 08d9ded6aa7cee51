#include "tests/simt/runner.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>

#include "tests/simt/block.h"
#include "tests/simt/host_api.h"
#include "tests/simt/sanitizers.h"
#include "tests/simt/shared_arrays.h"

uint3 threadIdx, blockIdx;
dim3 blockDim, gridDim;

#if defined SIMT_ASAN || defined SIMT_TSAN
extern "C" void __sanitizer_symbolize_pc(void* pc, const char* format, char* out, size_t size);
#endif

// Nothing that runs on a fiber here uses the standard library's templates: the linker might take an instrumented copy.
namespace simt {
namespace {

std::mutex one_launch;  // a process has one set of built-in variables and of __shared__ arrays
Order chosen = Order::forward;
uint64_t random_state = 0;

uint32_t random_below(uint32_t n) {
  random_state = random_state * 6364136223846793005u + 1442695040888963407u;
  return uint32_t((random_state >> 32) * n >> 32);
}

/// Threads that can go on, in the order in which they came.
struct Queue {
  uint16_t ring[most_threads];
  int head, count;
  void push(int thread) { ring[(head + count++) % most_threads] = uint16_t(thread); }
  int pop() {
    if (chosen == Order::shuffled) {
      uint16_t& other = ring[(head + int(random_below(uint32_t(count)))) % most_threads];
      const uint16_t first = ring[head];
      ring[head] = other;
      other = first;
    }
    const int thread = ring[head];
    head = (head + 1) % most_threads;
    --count;
    return thread;
  }
  /// The n threads from `first` whose bit in mask is set (or all), in the chosen order.
  void push_all(int first, int n, uint32_t mask = 0xffffffffu) {
    for (int i = 0; i < n; ++i) {
      const int t = chosen == Order::reverse ? n - 1 - i : i;
      if (mask >> (t % warp_lanes) & 1) push(first + t);
    }
  }
};

Block block;
Queue ready;
void* host = nullptr;       // the host thread, for the thread sanitizer
uint64_t began, ended;      // what it identifies the beginnings and ends of launches by
void (*call)(const void*);  // the kernel with its arguments
const void* call_argument;

/// Fibers are used again, in later launches and in later blocks. The thread sanitizer takes two blocks on the same
/// fibers for one that ran after the other, so where races between blocks are looked for, as many sets of fibers take
/// turns as a grid here is wide (most_blocks in kernels/launch.h): each of the first blocks has its own, a later one
/// any but its predecessor's. No more sets than that, since whatever the sanitizer does takes time in proportion to the
/// number of fibers.
struct Fibers {
  static constexpr size_t most = 2 * (most_threads + 2), most_sets = 3;
  Fiber* all[most];
  size_t made = 0, next = 0;
  uint64_t set = 0;
  /// Makes sure of so many for take() by the b-th block that runs; to be called as the host, of which they learn what
  /// they know at first.
  void begin_block(size_t wanted, uint64_t b) {
    const size_t sets = !sees_races ? 1 : most / wanted < most_sets ? most / wanted : most_sets;
    set = b < sets ? b : (set + 1 + random_below(uint32_t(sets - 1))) % sets;
    next = set * wanted;
    while (made < next + wanted) all[made++] = new Fiber;
  }
  Fiber* take() { return all[next++]; }
};
Fibers& fibers() {
  static Fibers* const one = new Fibers;
  return *one;
}

std::map<const void*, size_t>& allowed_shared() {
  static auto* const one = new std::map<const void*, size_t>;
  return *one;
}

std::string name_of(const void* function, const char* name) {
#if defined SIMT_ASAN || defined SIMT_TSAN
  char text[1024] = "";
  __sanitizer_symbolize_pc(const_cast<char*>(static_cast<const char*>(function)) + 1, "%f", text, sizeof text);
  if (text[0] != 0 && std::strncmp(text, "??", 2) != 0 && function != nullptr) return text;
#endif
  (void)function;
  return name;
}

void run_thread(void* thread) {
  call(call_argument);
  static_cast<Thread*>(thread)->state = State::done;
  ++block.finished;
}

/// Who can go on from the same wait knows what all the others did before it.
void meet(uint64_t* wait, int first, int n, uint32_t mask) {
  if constexpr (sees_races) {
    for (void (*step)(void*) : {release, acquire}) {
      for (int i = 0; i < n; ++i) {
        if ((mask >> (i % warp_lanes) & 1) == 0) continue;
        as_race_fiber(block.thread[first + i].fiber->race_fiber());
        step(wait);
      }
    }
    as_race_fiber(block.running->fiber->race_fiber());
  }
}

/// Lets `block.running` wait for others until one of them makes it ready.
void wait(State state, const char* what, const Where& where) {
  Thread& self = *block.running;
  self.what = what;
  self.where = where;
  self.state = state;
}

void complete_barrier() {
  int count = 0;
  for (int i = 0; i < block.threads; ++i) {
    if (!same_place(block.thread[i], block.thread[0])) return;  // nobody can go on: an error
    count += block.thread[i].predicate;
  }
  for (int i = 0; i < block.threads; ++i) {
    block.thread[i].result = count;
    block.thread[i].state = State::ready;
  }
  block.arrived = 0;
  meet(block.waits, 0, block.threads, 0xffffffffu);
  ready.push_all(0, block.threads);
}

/// The address that stands for the meetings of these lanes, and of no others as long as a warp uses few masks.
uint64_t* wait_of(int warp_number, uint32_t mask) {
  Warp& w = block.warp[warp_number];
  int i = 0;
  while (i < w.masks_known && w.masks[i] != mask) ++i;
  if (i == w.masks_known && w.masks_known < 15) w.masks[w.masks_known++] = mask;
  return block.waits + 1 + warp_number * 16 + i;
}

void complete_warp(int number, uint32_t mask, bool fence) {
  Thread* const lanes = block.thread + number * warp_lanes;
  void* all[warp_lanes] = {};
  for (int l = 0; l < warp_lanes; ++l) {
    if ((mask >> l & 1) == 0) continue;
    if (lanes[l].mask != mask || !same_place(lanes[l], *block.running)) return;
    all[l] = lanes[l].mine;
  }
  if (block.running->complete != nullptr) block.running->complete(all, mask);
  for (int l = 0; l < warp_lanes; ++l) {
    if (mask >> l & 1) lanes[l].state = State::ready;
  }
  block.warp[number].waiting &= ~mask;
  if (fence) meet(wait_of(number, mask), number * warp_lanes, warp_lanes, mask);
  ready.push_all(number * warp_lanes, warp_lanes, mask);
}

/// The error of the block's kernel as one line; empty when all threads ended well.
std::string error_of_block(const std::string& kernel) {
  if (block.failure == nullptr && block.finished == block.threads) return "";
  const Thread* who = block.running;
  const std::string message = block.failure ? *block.failure : diagnosis(block, &who);
  return "simt: " + kernel + ", block " + text_of(blockIdx) + ", thread " + text_of(who->index) + ", " +
         text_of(who->where) + ": " + message;
}

void begin_block(size_t shared_bytes, uint64_t b) {
  const int n = int(blockDim.x * blockDim.y * blockDim.z);
  block.threads = n;
  block.finished = block.arrived = 0;
  block.failure = nullptr;
  fibers().begin_block(size_t(n) + 2, b);
  // Memory comes from a fiber of its own: it is new to this block, and tells it nothing of the blocks before. All
  // threads learn of that fiber what the host did.
  Fiber* const keeper = fibers().take();
  as_race_fiber(keeper->race_fiber());
  acquire(&began);
  constexpr size_t waits_bytes = sizeof(uint64_t) * (1 + 16 * most_warps);
  if (posix_memalign(&block.shared, 256, shared_bytes) != 0) std::abort();
  std::memset(block.shared, 0xff, shared_bytes);
  block.waits = static_cast<uint64_t*>(std::malloc(waits_bytes));
  renew_shared_arrays();
  release(block.waits);
  for (int i = 0; i < n; ++i) {
    Thread& t = block.thread[i];
    t.fiber = fibers().take();
    t.index = {unsigned(i) % blockDim.x, unsigned(i) / blockDim.x % blockDim.y, unsigned(i) / blockDim.x / blockDim.y};
    t.state = State::ready;
    t.fenced = false;
    t.fiber->start(run_thread, &t);
    as_race_fiber(t.fiber->race_fiber());
    acquire(block.waits);
  }
  as_race_fiber(host);
  for (int w = 0; w < most_warps; ++w) block.warp[w].waiting = 0, block.warp[w].masks_known = 0;
  ready.head = ready.count = 0;
  ready.push_all(0, n);
}

void end_block() {
  for (int i = 0; i < block.threads; ++i) {
    Thread& t = block.thread[i];
    as_race_fiber(t.fiber->race_fiber());
    release(block.waits);
    as_race_fiber(host);
    if (t.state != State::done) t.fiber->abandon();
  }
  Fiber* const keeper = fibers().take();
  as_race_fiber(keeper->race_fiber());
  acquire(block.waits);
  release(&ended);
  std::free(block.shared);
  std::free(block.waits);
  as_race_fiber(host);
}

void run_block() {
  while (ready.count > 0 && block.failure == nullptr) {
    block.running = block.thread + ready.pop();
    threadIdx = block.running->index;
    block.running->fiber->resume();
  }
}

/// The b-th block to be run.
uint64_t block_number(uint64_t b, uint64_t n) {
  if (chosen == Order::reverse) return n - 1 - b;
  if (chosen == Order::forward || n < 3) return b;
  uint64_t step = n / 2 + n / 8 + 1;  // any number that has no divisor in common with n goes through all
  const auto divisor = [](uint64_t a, uint64_t c) {
    while (c != 0) {
      const uint64_t rest = a % c;
      a = c, c = rest;
    }
    return a;
  };
  while (divisor(step, n) != 1) ++step;
  return (n / 3 + b * step) % n;
}

void report(int code, const std::string& line) {
  set_last_error(code);
  on_error(line);
}

/// What a V100 would refuse, as one line; empty when it would not.
std::string refusal(const void* function, dim3 grid, dim3 size, size_t shared_bytes) {
  const auto text = [](dim3 d) { return text_of(uint3{d.x, d.y, d.z}); };
  if (grid.x == 0 || grid.y == 0 || grid.z == 0) return "an empty grid " + text(grid);
  if (grid.x > 0x7fffffffu || grid.y > 65535 || grid.z > 65535) return "a grid too large, " + text(grid);
  const uint64_t threads = uint64_t(size.x) * size.y * size.z;
  if (threads == 0 || threads > uint64_t(most_threads) || size.z > 64) {
    return "a block of " + text(size) + " threads; 1 to 1024 can be";
  }
  const auto found = allowed_shared().find(function);
  const size_t most = found == allowed_shared().end() ? shared_default - shared_own : found->second;
  if (shared_bytes > most) {
    return std::to_string(shared_bytes) + " bytes of shared memory; " + std::to_string(most) +
           " are allowed (cudaFuncSetAttribute allows up to " + std::to_string(shared_most - shared_own) + ")";
  }
  return "";
}

}  // namespace

void (*on_error)(const std::string& line) = [](const std::string& line) {
  std::fprintf(stderr, "%s\n", line.c_str());
  std::abort();
};

void set_order(Order order) { chosen = order; }
Order order() { return chosen; }

bool allow_shared(const void* function, size_t bytes) {
  if (bytes > shared_most - shared_own) return false;
  allowed_shared()[function] = bytes;
  return true;
}

void launch(const void* function, const char* name, void (*body)(const void*), const void* argument, dim3 grid,
            dim3 size, size_t shared_bytes) {
  const std::lock_guard lock(one_launch);
  if (const std::string why = refusal(function, grid, size, shared_bytes); !why.empty()) {
    report(9 /* cudaErrorInvalidConfiguration */, "simt: " + name_of(function, name) + ": " + why);
    return;
  }
  gridDim = grid;
  blockDim = size;
  call = body;
  call_argument = argument;
  random_state = 1;
  host = race_fiber();
  release(&began);
  const uint64_t blocks = uint64_t(grid.x) * grid.y * grid.z;
  std::string error;
  for (uint64_t b = 0; b < blocks && error.empty(); ++b) {
    const uint64_t i = block_number(b, blocks);
    blockIdx = {unsigned(i % grid.x), unsigned(i / grid.x % grid.y), unsigned(i / grid.x / grid.y)};
    begin_block(shared_bytes, b);
    run_block();
    if (block.failure != nullptr || block.finished != block.threads) error = error_of_block(name_of(function, name));
    end_block();
  }
  acquire(&ended);
  if (!error.empty()) report(719 /* cudaErrorLaunchFailure */, error);
}

void* shared_memory() { return block.shared; }

int barrier(const char* what, bool predicate, const Where& where) {
  Thread& self = *block.running;
  self.predicate = predicate;
  wait(State::at_barrier, what, where);
  if (++block.arrived == block.threads) complete_barrier();
  self.fiber->yield();
  return self.result;
}

void warp(const char* what, uint32_t mask, void* mine, void (*complete)(void* const*, uint32_t), bool fence,
          const Where& where) {
  Thread& self = *block.running;
  const int number = int(&self - block.thread) / warp_lanes, bit = lane();
  if ((mask >> bit & 1) == 0) fail("the mask of " + std::string(what) + " leaves out the lane that calls it", where);
  self.mask = mask;
  self.mine = mine;
  self.complete = complete;
  wait(State::in_warp, what, where);
  uint32_t& waiting = block.warp[number].waiting;
  waiting |= 1u << bit;
  if ((waiting & mask) == mask) complete_warp(number, mask, fence);
  self.fiber->yield();
}

void fail(const std::string& message, const Where& where) {
  block.running->where = where;
  block.failure = &message;
  for (;;) block.running->fiber->yield();
}

int lane() { return int(block.running - block.thread) % warp_lanes; }
void fence() { block.running->fenced = true; }
bool fenced() { return block.running->fenced; }

}  // namespace simt
