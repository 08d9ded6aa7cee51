#pragma once

namespace kernels {

/// What the processor has beyond the level (x86-64-v2, v3, v4) that the loader chose this library for.
struct Instructions {
  bool avx512_bf16 = false, avx512_vnni = false;
  bool amx = false;  ///< tiles, with bf16 and int8, and the kernel's permission to use them
};

/// Asked for once. The permission for tiles holds for threads that are started later, so the team of threads calls this
/// first.
const Instructions& instructions();

}  // namespace kernels
