#include "kernels/beam_step.h"

#include "kernels/launch.h"

namespace kernels {
namespace {

__global__ void beam_start_kernel(BeamRows to) {
  Grid().each(to.queries, [=](int64_t r) { beam_start_row(to, r); });
}

__global__ void beam_step_kernel(BeamRows from, const Extension* found, TreeLevel level, int32_t first_input,
                                 BeamRows to) {
  Grid().each(to.queries * to.width, [=](int64_t r) { beam_step_row(from, found, level, first_input, to, r); });
}

}  // namespace

void beam_start(Cuda cuda, const BeamRows& to) {
  launch(beam_start_kernel, element_blocks(to.queries), Grid::threads, 0, cuda.stream(), to);
}

void beam_step(Cuda cuda, const BeamRows& from, const Extension* found, const TreeLevel& level, int32_t first_input,
               const BeamRows& to) {
  launch(beam_step_kernel, element_blocks(to.queries * to.width), Grid::threads, 0, cuda.stream(), from, found, level,
         first_input, to);
}

}  // namespace kernels
