#include "tests/simt/fiber.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>

#include "tests/simt/sanitizers.h"

#ifdef __x86_64__
// simt_switch(void** save, void* load): the registers that a call keeps go to this stack, its pointer to *save; then
// the same backwards from `load`. The control words of the floating-point units are the same on all stacks.
asm(R"(
.text
.p2align 4
.type simt_switch, @function
simt_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size simt_switch, . - simt_switch
)");
extern "C" void simt_switch(void** save, void* load);
#endif

namespace simt {
namespace {

Fiber* starting = nullptr;  // whose main() is entered next

}  // namespace

Fiber::Fiber() {
  const size_t guard = size_t(getpagesize());
  void* const memory = mmap(nullptr, guard + stack_bytes, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
  if (memory == MAP_FAILED || mprotect(memory, guard, PROT_NONE) != 0) {
    std::perror("simt: a stack for a fiber");
    std::abort();
  }
  stack_ = static_cast<char*>(memory) + guard;
  race_fiber_ = make_race_fiber();
  prepare();
}

void Fiber::prepare() {
#ifdef __x86_64__
  // As simt_switch leaves it: six registers, then where to return to: main(), as if called from nowhere.
  auto** const top = reinterpret_cast<void**>(stack_ + stack_bytes);
  top[-1] = nullptr;
  top[-2] = reinterpret_cast<void*>(&Fiber::main);
  for (int i = 3; i <= 8; ++i) top[-i] = nullptr;
  here_ = top - 8;
#else
  getcontext(&here_);
  here_.uc_stack.ss_sp = stack_;
  here_.uc_stack.ss_size = stack_bytes;
  here_.uc_link = nullptr;
  makecontext(&here_, &Fiber::main, 0);
#endif
}

void Fiber::start(void (*body)(void*), void* argument) {
  body_ = body;
  argument_ = argument;
}

void Fiber::main() {
  Fiber* const self = starting;
  enter_stack(nullptr, &self->host_bottom_, &self->host_size_);
  for (;;) {
    self->body_(self->argument_);
    self->yield();
  }
}

void Fiber::resume() {
  starting = this;
  host_race_fiber_ = simt::race_fiber();
  leave_stack(&host_kept_, stack_, stack_bytes);
  as_race_fiber(race_fiber_);
#ifdef __x86_64__
  simt_switch(&host_, here_);
#else
  swapcontext(&host_, &here_);
#endif
  enter_stack(host_kept_, nullptr, nullptr);
}

void Fiber::yield() {
  leave_stack(&kept_, host_bottom_, host_size_);
  as_race_fiber(host_race_fiber_);
#ifdef __x86_64__
  simt_switch(&here_, host_);
#else
  swapcontext(&here_, &host_);
#endif
  enter_stack(kept_, &host_bottom_, &host_size_);
}

void Fiber::abandon() {
  clean_stack(stack_, stack_bytes);
  drop_race_fiber(race_fiber_);
  race_fiber_ = make_race_fiber();
  prepare();
}

}  // namespace simt
