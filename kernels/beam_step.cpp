#include "kernels/beam_step.h"

#include "kernels/rows.h"

namespace kernels {

void beam_start(Cpu, const BeamRows& to) {
  for (int64_t r = 0; r < to.queries; ++r) beam_start_row(to, r);
}

void beam_step(Cpu cpu, const BeamRows& from, const Extension* found, const TreeLevel& level, int32_t first_input,
               const BeamRows& to) {
  const int64_t cost = 50 + (level ? 0 : to.width);
  for_rows(cpu, to.queries * to.width, cost,
           [&](OneThread, int64_t r) { beam_step_row(from, found, level, first_input, to, r); });
}

}  // namespace kernels
