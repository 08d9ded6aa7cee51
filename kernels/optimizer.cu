#include "kernels/optimizer.h"

#include "kernels/packs.h"

namespace kernels {
namespace {

constexpr int64_t warp_run = 4096;  ///< elements of all tensors, strung together, that a warp takes at a time

/// f(tensor, from, to) for the parts of tensors that elements begin … end − 1 of all of them are; `end` may be past the
/// last, and a part may be empty. The whole warp looks for the first, 32 tensors at a time.
template <class T, class F>
__device__ void each_part(const AdamTensor<T>* tensors, int64_t count, int64_t begin, int64_t end, const F& f) {
  const int lane = int(threadIdx.x) % warp_lanes;
  int64_t t = 0, first = 0;  // a tensor, and how many elements are before it
  for (; t < count; t += warp_lanes) {
    const int64_t mine = t + lane < count ? tensors[t + lane].n : 0;
    int64_t upto = mine;
    for (int step = 1; step < warp_lanes; step *= 2) {
      const int64_t other = __shfl_up_sync(whole_warp, upto, step);
      if (lane >= step) upto += other;
    }
    const unsigned beyond = __ballot_sync(whole_warp, first + upto > begin);
    if (beyond != 0) {
      const int found = __ffs(int(beyond)) - 1;
      first += __shfl_sync(whole_warp, upto - mine, found);
      t += found;
      break;
    }
    first += __shfl_sync(whole_warp, upto, warp_lanes - 1);
  }
  for (; t < count && first < end; ++t) {
    const AdamTensor<T> tensor = tensors[t];
    const int64_t from = std::max<int64_t>(begin - first, 0), to = std::min(end - first, tensor.n);
    f(tensor, from, to);
    first += tensor.n;
  }
}

/// f(i, width) for elements from … to − 1, by a warp: packs of N where they fit the arrays, ones around them.
template <int N, class F>
__device__ void each_pack_of(bool fit, int64_t from, int64_t to, const F& f) {
  const int64_t lane = threadIdx.x % warp_lanes;
  const int64_t start = std::min((from + N - 1) / N * N, to), stop = fit ? start + (to - start) / N * N : start;
  for (int64_t i = from + lane; i < start; i += warp_lanes) f(i, std::integral_constant<int, 1>());
  for (int64_t i = start + lane * N; i < stop; i += warp_lanes * N) f(i, std::integral_constant<int, N>());
  for (int64_t i = stop + lane; i < to; i += warp_lanes) f(i, std::integral_constant<int, 1>());
}

template <int N, class T>
__device__ void adam_pack(const AdamFactors<T>& factors, const AdamTensor<T>& tensor, int64_t i) {
  Values<T, N> p(tensor.parameter + i), m(tensor.m + i), v(tensor.v + i);
  const Values<T, N> g(tensor.gradient + i);
  for (int j = 0; j < N; ++j) adam_element(factors, p.at[j], g.at[j], m.at[j], v.at[j]);
  put_pack<N>(Grad<T>{tensor.parameter + i}, [&](int j) { return p.at[j]; });
  put_pack<N>(Grad<T>{tensor.m + i}, [&](int j) { return m.at[j]; });
  put_pack<N>(Grad<T>{tensor.v + i}, [&](int j) { return v.at[j]; });
  const auto put_rounded = [&](auto* rounded) {
    put_pack<N>(Grad{rounded + i}, [&](int j) { return float(p.at[j]); });
  };
  if (tensor.rounded == nullptr) return;
  tensor.in_bf16 ? put_rounded(static_cast<bf16*>(tensor.rounded)) : put_rounded(static_cast<f16*>(tensor.rounded));
}

/// Bound by bytes: seven numbers an element, and half of one for a copy in 16 bits.
template <class T>
__global__ void adam_kernel(const AdamStep* step, const AdamTensor<T>* tensors, int64_t count, int64_t total) {
  constexpr int size = pack_size<T>;
  if (step->skip) return;
  const AdamFactors<T> factors(*step);
  each_row(Warp(), (total + warp_run - 1) / warp_run, [&](int64_t run) {
    const int64_t begin = run * warp_run, end = begin + warp_run;
    each_part(tensors, count, begin, end, [&](const AdamTensor<T>& t, int64_t from, int64_t to) {
      const bool fit = packs_fit<size>(t.parameter, t.gradient, t.m, t.v, static_cast<const f16*>(t.rounded));
      each_pack_of<size>(fit, from, to, [&](int64_t i, auto width) { adam_pack<width.value>(factors, t, i); });
    });
  });
}

/// partial [runs]: each warp's run of elements, squared in f64 and summed.
template <class T>
__global__ void squares_kernel(const AdamTensor<T>* tensors, int64_t count, int64_t total, double* partial) {
  constexpr int size = pack_size<T>;
  each_row(Warp(), (total + warp_run - 1) / warp_run, [&](int64_t run) {
    const int64_t begin = run * warp_run, end = begin + warp_run;
    double sum = 0;
    each_part(tensors, count, begin, end, [&](const AdamTensor<T>& t, int64_t from, int64_t to) {
      each_pack_of<size>(packs_fit<size>(t.gradient), from, to, [&](int64_t i, auto width) {
        const Values<T, width.value> g(t.gradient + i);
        for (int j = 0; j < width.value; ++j) sum += double(g.at[j]) * double(g.at[j]);
      });
    });
    sum = warp_sum(sum);
    Warp().each(1, [&](int64_t) { partial[run] = sum; });
  });
}

__global__ void sum_kernel(const double* partial, int64_t n, double* total) {
  const double sum = Block().sum(n, [=](int64_t i) { return partial[i]; });
  Block().each(1, [=](int64_t) { *total = sum; });
}

__global__ void prepare_kernel(double clip, const double* squares, LossScale* loss, AdamStep* step) {
  prepare(clip, *squares, *loss, *step);
}

template <class T>
__global__ void loss_gradient_kernel(double share, const LossScale* loss, T* gradient) {
  *gradient = T(share * loss->scale);
}

}  // namespace

template <class T>
void adam(Cuda cuda, const AdamStep* step, const AdamTensor<T>* tensors, int64_t count, int64_t total) {
  const dim3 blocks = blocks_for((total + warp_run - 1) / warp_run, Warp::warps);
  launch(adam_kernel<T>, blocks, Warp::threads, 0, cuda.stream(), step, tensors, count, total);
}

template <class T>
void gradient_squares(Cuda cuda, const AdamTensor<T>* tensors, int64_t count, int64_t total, double* squares) {
  const int64_t runs = (total + warp_run - 1) / warp_run;
  double* const partial = static_cast<double*>(cuda.scratch(0, runs * int64_t(sizeof(double))));
  if (partial == nullptr) return;
  launch(squares_kernel<T>, blocks_for(runs, Warp::warps), Warp::threads, 0, cuda.stream(), tensors, count, total,
         partial);
  launch(sum_kernel, 1, Block::threads, 0, cuda.stream(), partial, runs, squares);
}

void prepare_step(Cuda cuda, double clip, const double* squares, LossScale* loss, AdamStep* step) {
  launch(prepare_kernel, 1, 1, 0, cuda.stream(), clip, squares, loss, step);
}

template <class T>
void loss_gradient(Cuda cuda, double share, const LossScale* loss, T* gradient) {
  launch(loss_gradient_kernel<T>, 1, 1, 0, cuda.stream(), share, loss, gradient);
}

template void adam(Cuda, const AdamStep*, const AdamTensor<float>*, int64_t, int64_t);
template void adam(Cuda, const AdamStep*, const AdamTensor<double>*, int64_t, int64_t);
template void gradient_squares(Cuda, const AdamTensor<float>*, int64_t, int64_t, double*);
template void gradient_squares(Cuda, const AdamTensor<double>*, int64_t, int64_t, double*);
template void loss_gradient(Cuda, double, const LossScale*, float*);
template void loss_gradient(Cuda, double, const LossScale*, double*);

}  // namespace kernels
