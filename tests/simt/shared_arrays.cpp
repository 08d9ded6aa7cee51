#include "tests/simt/shared_arrays.h"

#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "tests/simt/sanitizers.h"

extern "C" char simt_shared_begin[], simt_shared_end[];  // by the linker

namespace simt {
namespace {

/// A file of bits that are all 1. Mapped privately, it is what every page holds until it is written.
int file_of_ones(size_t bytes) {
  const int file = memfd_create("simt", MFD_CLOEXEC);
  char ones[4096];
  std::memset(ones, 0xff, sizeof ones);
  for (size_t done = 0; done < bytes; done += sizeof ones) {
    if (write(file, ones, sizeof ones) != ssize_t(sizeof ones)) {
      std::perror("simt: memory for __shared__ arrays");
      std::abort();
    }
  }
  return file;
}

}  // namespace

void renew_shared_arrays() {
  const size_t bytes = size_t(simt_shared_end - simt_shared_begin);
  if (bytes == 0) return;
  static const int file = file_of_ones(bytes);
  constexpr int access = PROT_READ | PROT_WRITE, kind = MAP_PRIVATE | MAP_FIXED;
  // The thread sanitizer is to see the call and forget who used the memory; the address sanitizer is not, so that it
  // keeps what it knows of the gaps between arrays.
  void* const mapped =
      sees_races ? mmap(simt_shared_begin, bytes, access, kind, file, 0)
                 : reinterpret_cast<void*>(syscall(SYS_mmap, simt_shared_begin, bytes, access, kind, file, 0));
  if (mapped != simt_shared_begin) {
    std::perror("simt: __shared__ arrays");
    std::abort();
  }
}

}  // namespace simt
