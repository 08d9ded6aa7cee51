#pragma once
#include <cstddef>
#include <cstdint>
#include <source_location>
#include <string>

#include "tests/simt/vectors.h"

/// Runs CUDA kernels that were compiled as C++ on the host: block after block, one fiber a thread, in an order that can
/// be chosen. A kernel's errors (a barrier that not all reach, …) end its launch: they are left for cudaGetLastError
/// and given to on_error, one line each.
namespace simt {

/// In which order blocks are run and lanes go on whenever several can.
enum class Order { forward, reverse, shuffled };
void set_order(Order order);
Order order();

/// Called with each error on the host's stack. Default: prints the line and aborts.
extern void (*on_error)(const std::string& line);

/// Runs body() once for each thread of each block, `function` being the kernel's address: an error names it by the
/// symbol there, or by `name` where there is none. Returns when all is done.
void launch(const void* function, const char* name, void (*call)(const void*), const void* body, dim3 grid, dim3 block,
            size_t shared_bytes);
template <class Body>
void launch(const void* function, const char* name, const Body& body, dim3 grid, dim3 block, size_t shared_bytes) {
  launch(
      function, name, [](const void* b) { (*static_cast<const Body*>(b))(); }, &body, grid, block, shared_bytes);
}

/// What the kernel of this address may use as dynamic shared memory from now on. False: more than any kernel may.
bool allow_shared(const void* function, size_t bytes);
inline constexpr size_t shared_default = 48 * 1024, shared_most = 96 * 1024;  // V100
/// Taken for what any kernel's __shared__ arrays have of it: their real size is not known here. The kernels that also
/// have dynamic shared memory have less.
inline constexpr size_t shared_own = 256;

/// How many data races the thread sanitizer has reported in this process.
int races_seen();

// The rest is called by kernels.

/// Where in the kernel's text a call stands.
using Where = std::source_location;

/// The dynamic shared memory of the running block: exactly as many bytes as the launch said, all bits 1 at first.
void* shared_memory();
/// Waits for all threads of the block, at the same place; gives for how many of them `predicate` was true.
int barrier(const char* what, bool predicate, const Where& where);
/// Waits for the lanes in `mask`, at the same place with the same mask. The last one to come calls
/// complete(all, mask), all[l] being what lane l passed as `mine`. Orders memory only where `fence` says so.
void warp(const char* what, uint32_t mask, void* mine, void (*complete)(void* const* all, uint32_t mask), bool fence,
          const Where& where);
/// Ends the launch with an error of the running thread.
[[noreturn]] void fail(const std::string& message, const Where& where);
/// The lane of the running thread in its warp.
int lane();
/// This thread's writes so far are seen by who sees its next atomic operations; whether it ever said so.
void fence();
bool fenced();

}  // namespace simt
