#pragma once
#include "kernels/attention.h"

/// What attention.cu sees of the tiles. They have a file a type (attention_f32.cu, …), since they take long to compile.
namespace kernels::tiled {

/// False, and nothing done, where there are no tiles for this.
template <class T>
bool forward(Cuda, const AttentionShape&, const T* q, const T* k, const T* v, T* o, float* lse);
template <class T>
bool backward(Cuda, const AttentionShape&, const T* q, const T* k, const T* v, const T* o, const float* lse,
              const T* d_o, Grad<T> dq, Grad<T> dk, Grad<T> dv);

}  // namespace kernels::tiled
