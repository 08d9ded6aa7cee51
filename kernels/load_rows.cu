#include "kernels/launch.h"
#include "kernels/load_rows.h"

namespace kernels {
namespace {

template <class Team, class T>
__global__ void load_rows_kernel(const T* x, const int64_t* rows, RowForm form, float* y, int64_t n, int64_t d,
                                 unsigned long long* wrong) {
  using A = RowSquare<T>;
  const Team team;
  each_row(team, n, [=](int64_t i) {
    const int64_t r = rows == nullptr ? i : rows[i];
    const T* const from = x + r * d;
    float* const to = y + i * d;
    const A square = team.sum(d, [=](int64_t c) { return A(from[c]) * A(from[c]); });
    if (!(square < infinity<A>) || (form.unit && square == 0)) {
      team.each(1, [=](int64_t) { atomicMin(wrong, static_cast<unsigned long long>(i)); });
      return;
    }
    const A factor = form.unit ? A(1) / sqrt(square) : A(1);
    if (form.centroids != nullptr) {
      const float* const centroid = form.centroids + int64_t(form.labels[r]) * d;
      team.each(d, [=](int64_t c) { to[c] = float(A(from[c]) * factor) - centroid[c]; });
    } else {
      team.each(d, [=](int64_t c) { to[c] = float(A(from[c]) * factor); });
    }
  });
}

}  // namespace

template <class T>
void load_rows(Cuda cuda, const T* x, const int64_t* rows, RowForm form, float* y, int64_t n, int64_t d,
               int64_t* wrong) {
  note(cudaMemsetAsync(wrong, 0xff, sizeof *wrong, cuda.stream()), "clear");  // −1: as unsigned, above every row
  with_team(n, d, [=](auto team, dim3 blocks) {
    launch(load_rows_kernel<decltype(team), T>, blocks, team.threads, 0, cuda.stream(), x, rows, form, y, n, d,
           reinterpret_cast<unsigned long long*>(wrong));
  });
}

template void load_rows(Cuda, const float*, const int64_t*, RowForm, float*, int64_t, int64_t, int64_t*);
template void load_rows(Cuda, const double*, const int64_t*, RowForm, float*, int64_t, int64_t, int64_t*);
template void load_rows(Cuda, const f16*, const int64_t*, RowForm, float*, int64_t, int64_t, int64_t*);
template void load_rows(Cuda, const bf16*, const int64_t*, RowForm, float*, int64_t, int64_t, int64_t*);

}  // namespace kernels
