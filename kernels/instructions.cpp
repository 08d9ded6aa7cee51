#include "kernels/instructions.h"

#if defined(__x86_64__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace kernels {
namespace {

#if defined(__AVX512F__)
/// Tiles are large, so Linux hands them out on request only (arch_prctl(2), ARCH_REQ_XCOMP_PERM, feature 18).
bool may_use_tiles() {
  constexpr long request_permission = 0x1023, tile_data = 18;
  return syscall(SYS_arch_prctl, request_permission, tile_data) == 0;
}

Instructions ask() {
  Instructions found;
  unsigned a = 0, b = 0, c = 0, d = 0;
  if (!__get_cpuid_count(7, 0, &a, &b, &c, &d)) return found;
  found.avx512_vnni = c >> 11 & 1;
  const bool tiles = (d >> 22 & 1) && (d >> 24 & 1) && (d >> 25 & 1);  // AMX-BF16, AMX-TILE, AMX-INT8
  found.avx512_bf16 = __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a >> 5 & 1);
  found.amx = tiles && found.avx512_bf16 && may_use_tiles();  // the latter packs for the former
  return found;
}
#else
Instructions ask() { return {}; }
#endif

}  // namespace

const Instructions& instructions() {
  static const Instructions found = ask();
  return found;
}

}  // namespace kernels
