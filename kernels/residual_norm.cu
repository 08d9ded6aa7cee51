#include "kernels/residual_norm.h"

#include "kernels/column_sums.h"
#include "kernels/drop_device.h"
#include "kernels/held_norm.h"

namespace kernels {

/// The factors from element `first` on.
template <class A>
struct KeepFrom {
  const DropFactors<A>& drop;
  int64_t first;
  __device__ A operator[](int64_t i) const { return drop.get(first + i); }
};

/// Row of residual_norm.h that begins at element `first`; its sum is kept where `kept` says.
template <class Team, class T>
__device__ RowMoments<Accumulator<T>> residual_norm_row(Team team, const DropFactors<Accumulator<T>>& drop, const T* x,
                                                        const T* branch, const Accumulator<T>* weight,
                                                        const Accumulator<T>* bias, T* y, T* sum, int64_t first,
                                                        int64_t cols, Accumulator<T> epsilon) {
  T* const kept = (sum != nullptr ? sum : y) + first;
  residual_run(team, x + first, branch + first, KeepFrom<Accumulator<T>>{drop, first}, kept, cols);
  return layer_norm_row(team, kept, weight, bias, y + first, cols, epsilon);
}

/// The same with the row in registers, rounded as it is kept: the backward pass must see what mean and rstd are of.
template <class Base, int slots, class T>
__device__ RowMoments<Accumulator<T>> residual_norm_row(Held<Base, T, slots> held,
                                                        const DropFactors<Accumulator<T>>& drop, const T* x,
                                                        const T* branch, const Accumulator<T>* weight,
                                                        const Accumulator<T>* bias, T* y, T* sum, int64_t first,
                                                        int64_t cols, Accumulator<T> epsilon) {
  using A = Accumulator<T>;
  constexpr int width = Held<Base, T, slots>::width;
  typename Held<Base, T, slots>::Row row, added;
  held.load(x + first, cols, row);
  held.load(branch + first, cols, added);  // all of it: what is dropped takes long to compute
  held.runs(cols, [&](int slot, int i) {
    A keep[width];
    drop.get(first + i, keep);
    unrolled<width>([&](int k) { row[slot + k] = A(T(row[slot + k] + keep[k] * added[slot + k])); });
    if (sum != nullptr) put_pack<width>(Grad<T>{sum + first + i}, [&](int k) { return row[slot + k]; });
  });
  return held_layer_norm(held, row, weight, bias, y + first, cols, epsilon);
}

namespace {

template <class Team, class T>
__global__ void residual_norm_kernel(DropFactors<Accumulator<T>> drop, const T* x, const T* branch,
                                     const Accumulator<T>* weight, const Accumulator<T>* bias, T* y, T* sum,
                                     Accumulator<T>* mean, Accumulator<T>* rstd, int64_t rows, int64_t cols,
                                     Accumulator<T> epsilon) {
  each_row(Team(), rows, [&](int64_t r) {
    const auto moments = residual_norm_row(Team(), drop, x, branch, weight, bias, y, sum, r * cols, cols, epsilon);
    if (mean != nullptr && Team::lane() == 0) mean[r] = moments.mean;
    if (rstd != nullptr && Team::lane() == 0) rstd[r] = moments.rstd;
  });
}

template <class Team, class T>
__global__ void residual_backward_kernel(DropFactors<Accumulator<T>> drop, const T* sum, const Accumulator<T>* weight,
                                         const Accumulator<T>* mean, const Accumulator<T>* rstd, const T* dy,
                                         Grad<T> dx, Grad<T> dbranch, int64_t rows, int64_t cols) {
  using A = Accumulator<T>;
  each_row(Team(), rows, [&](int64_t r) {
    const int64_t first = r * cols;
    const RowMoments<A> moments{mean[r], rstd[r]};
    const auto means = layer_norm_means(Team(), sum + first, weight, moments, dy + first, cols);
    residual_backward_run(Team(), sum + first, weight, moments, means, dy + first, KeepFrom<A>{drop, first},
                          row_of(dx, r, cols), row_of(dbranch, r, cols), cols);
  });
}

/// All gradients in one pass with the rows in registers. A lane has the same columns in every row, so it adds up their
/// parts in dweight and dbias in registers; at the end the block's teams add theirs in order, to `part`
/// [blocks, 2, cols]. One row a team at a time: 2 reads and 2 writes of memory for each element bound it.
template <class Held, class T>
__global__ void __launch_bounds__(Block::threads)
    held_backward_kernel(DropFactors<Accumulator<T>> drop, const T* sum, const Accumulator<T>* weight,
                         const Accumulator<T>* mean, const Accumulator<T>* rstd, const T* dy, Grad<T> dx,
                         Grad<T> dbranch, Accumulator<T>* part, int64_t rows, int64_t cols) {
  using A = Accumulator<T>;
  constexpr int width = Held::width, teams = Block::threads / Held::lanes;
  const Held held;
  const int team = int(threadIdx.x) / Held::lanes;
  typename Held::Row dw = {}, db = {};
  for (int64_t r = int64_t(blockIdx.x) * teams + team; r < rows; r += int64_t(gridDim.x) * teams) {
    const int64_t at = r * cols;
    const A m = mean[r], scale = rstd[r];
    typename Held::Row g, normed;
    A sum_g = 0, sum_gx = 0;
    held.runs(cols, [&](int slot, int i) {
      const Values<T, width> s(sum + at + i), d(dy + at + i);
      const Values<A, width> w(weight + i);
      unrolled<width>([&](int k) {
        normed[slot + k] = (s.at[k] - m) * scale, g[slot + k] = w.at[k] * d.at[k];
        dw[slot + k] += d.at[k] * normed[slot + k], db[slot + k] += d.at[k];
        sum_g += g[slot + k], sum_gx += g[slot + k] * normed[slot + k];
      });
    });
    if (!dx && !dbranch) continue;
    const A mean_g = held.all_sum(sum_g) / A(cols), mean_gx = held.all_sum(sum_gx) / A(cols);
    held.runs(cols, [&](int slot, int i) {
      A ds[width], keep[width];
      unrolled<width>([&](int k) { ds[k] = scale * (g[slot + k] - mean_g - normed[slot + k] * mean_gx); });
      if (dx) put_pack<width>(dx.at(at + i), [&](int k) { return ds[k]; });
      if (!dbranch) return;
      drop.get(at + i, keep);
      put_pack<width>(dbranch.at(at + i), [&](int k) { return ds[k] * keep[k]; });
    });
  }
  if (part == nullptr) return;
  A* const total = shared_memory<A>();  // [2, cols]
  for (int t = 0; t < teams; ++t) {
    if (t == team) {
      held.runs(cols, [&](int slot, int i) {
        unrolled<width>([&](int k) {
          total[i + k] = t == 0 ? dw[slot + k] : total[i + k] + dw[slot + k];
          total[cols + i + k] = t == 0 ? db[slot + k] : total[cols + i + k] + db[slot + k];
        });
      });
    }
    __syncthreads();
  }
  A* const to = part + int64_t(blockIdx.x) * 2 * cols;
  for (int64_t i = threadIdx.x; i < 2 * cols; i += Block::threads) to[i] = total[i];
}

/// dy x̂: what a row adds to dweight.
template <class T>
struct WeightPart {
  const T *sum, *dy;
  const Accumulator<T>*mean, *rstd;
  int64_t cols;
  __device__ Accumulator<T> operator()(int64_t, int64_t r, int64_t c) const {
    using A = Accumulator<T>;
    return A(dy[r * cols + c]) * ((A(sum[r * cols + c]) - mean[r]) * rstd[r]);
  }
};

/// Sums of the columns of `part`, first those for dweight.
template <class A>
struct PutBoth {
  Grad<A> dweight, dbias;
  int64_t cols;
  __device__ void operator()(int64_t, int64_t, int64_t c, double total) const {
    if (c < cols && dweight) dweight.put(c, A(total));
    if (c >= cols && dbias) dbias.put(c - cols, A(total));
  }
};

}  // namespace

template <class T>
void residual_norm(Cuda cuda, const Drop& drop, const T* x, const T* branch, const Accumulator<T>* weight,
                   const Accumulator<T>* bias, T* y, T* sum, Accumulator<T>* mean, Accumulator<T>* rstd, int64_t rows,
                   int64_t cols, Accumulator<T> epsilon) {
  const DropFactors<Accumulator<T>> factors(drop);
  with_rows<T>(rows, cols, packs_fit<pack_size<T>>(x, branch, weight, bias, y, sum), [=](auto team, dim3 blocks) {
    launch(residual_norm_kernel<decltype(team), T>, blocks, team.threads, 0, cuda.stream(), factors, x, branch, weight,
           bias, y, sum, mean, rstd, rows, cols, epsilon);
  });
}

template <class T>
void residual_norm_backward(Cuda cuda, const Drop& drop, const T* sum, const Accumulator<T>* weight,
                            const Accumulator<T>* mean, const Accumulator<T>* rstd, const T* dy, Grad<T> dx,
                            Grad<T> dbranch, Grad<Accumulator<T>> dweight, Grad<Accumulator<T>> dbias,
                            Accumulator<T>* scratch, int64_t rows, int64_t cols) {
  using A = Accumulator<T>;
  constexpr int64_t tall = 32, most = 512;  // rows of a block at least; blocks, whose sums are added in a second pass
  const DropFactors<A> factors(drop);
  const bool held =
      with_held<T>(rows, cols, packs_fit<pack_size<T>>(sum, weight, dy, dx.data, dbranch.data), [=](auto team, dim3) {
        const int64_t blocks = rows < tall * most ? (rows + tall - 1) / tall : most;
        const bool parameters = dweight || dbias;
        launch(held_backward_kernel<decltype(team), T>, dim3(unsigned(blocks)), Block::threads,
               parameters ? size_t(2 * cols) * sizeof(A) : 0, cuda.stream(), factors, sum, weight, mean, rstd, dy, dx,
               dbranch, parameters ? scratch : nullptr, rows, cols);
        if (!parameters) return;
        column_sums(cuda, Elements<A>{scratch, 0, 2 * cols}, PutBoth<A>{dweight, dbias, cols}, 1, blocks, 2 * cols);
      });
  if (held) return;
  if (dx || dbranch) {
    with_team(rows, cols, [=](auto team, dim3 blocks) {
      launch(residual_backward_kernel<decltype(team), T>, blocks, team.threads, 0, cuda.stream(), factors, sum, weight,
             mean, rstd, dy, dx, dbranch, rows, cols);
    });
  }
  if (dweight) column_sums(cuda, WeightPart<T>{sum, dy, mean, rstd, cols}, PutSum<A>{dweight}, 1, rows, cols);
  if (dbias) column_sums(cuda, Elements<T>{dy, 0, cols}, PutSum<A>{dbias}, 1, rows, cols);
}

#define ACE_INSTANTIATE(T)                                                                                             \
  template void residual_norm(Cuda, const Drop&, const T*, const T*, const Accumulator<T>*, const Accumulator<T>*, T*, \
                              T*, Accumulator<T>*, Accumulator<T>*, int64_t, int64_t, Accumulator<T>);                 \
  template void residual_norm_backward(Cuda, const Drop&, const T*, const Accumulator<T>*, const Accumulator<T>*,      \
                                       const Accumulator<T>*, const T*, Grad<T>, Grad<T>, Grad<Accumulator<T>>,        \
                                       Grad<Accumulator<T>>, Accumulator<T>*, int64_t, int64_t);
ACE_INSTANTIATE(float)
ACE_INSTANTIATE(double)
ACE_INSTANTIATE(f16)
ACE_INSTANTIATE(bf16)

}  // namespace kernels
