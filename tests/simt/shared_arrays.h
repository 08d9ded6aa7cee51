#pragma once

namespace simt {

/// Gives the __shared__ arrays of all kernels new memory whose bits are all 1, with nothing known of who used it.
/// They lie together in pages of their own (shared_arrays.ld).
void renew_shared_arrays();

}  // namespace simt
