#pragma once
/// What the kernels' room takes of NVIDIA's header of this name: names on a profiler's time line, written down here.
int nvtxRangePushA(const char* name);
int nvtxRangePop();
