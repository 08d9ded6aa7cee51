#pragma once
#include <cstddef>
#ifndef __x86_64__
#include <ucontext.h>
#endif

namespace simt {

/// A stack of its own on which a function runs until it yields or returns. One host thread at a time uses fibers.
class Fiber {
 public:
  Fiber();  // maps the stack, a guard page below it
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;
  /// The next resume() runs body(argument) from its start. What ran before must have returned or been abandoned.
  void start(void (*body)(void*), void* argument);
  /// Runs it until it yields or returns; to be called from the host's stack.
  void resume();
  /// Goes back to where resume() was called; to be called on this fiber.
  void yield();
  /// Forgets what runs on it: its frames are gone, and nothing in them is destroyed.
  void abandon();
  /// What the thread sanitizer knows it as.
  void* race_fiber() const { return race_fiber_; }

 private:
  static void main();
  void prepare();
  static constexpr size_t stack_bytes = 256 * 1024;
  char* stack_;
  void* race_fiber_;
  void (*body_)(void*) = nullptr;
  void* argument_ = nullptr;
  // What the address sanitizer keeps for us of this stack and of the host's.
  void *kept_ = nullptr, *host_kept_ = nullptr;
  const void* host_bottom_ = nullptr;
  size_t host_size_ = 0;
  void* host_race_fiber_ = nullptr;
#ifdef __x86_64__
  void *here_ = nullptr, *host_ = nullptr;  // stack pointers
#else
  ucontext_t here_, host_;
#endif
};

}  // namespace simt
