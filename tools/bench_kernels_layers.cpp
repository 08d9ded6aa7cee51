#include "kernels/activation.h"
#include "kernels/arithmetic.h"
#include "kernels/copy.h"
#include "kernels/dropout.h"
#include "kernels/gated_sum.h"
#include "kernels/layer_norm.h"
#include "kernels/reduce.h"
#include "kernels/residual_norm.h"
#include "kernels/softmax.h"
#include "tools/bench_kernels_cases.h"

namespace tools::bench {
namespace {

template <class B, class T>
void add_layer_norms(Cases& cases, int64_t rows, int64_t cols) {
  using A = Accumulator<T>;
  const std::string size = fmt::format("{} x {}", rows, cols);
  const double n = double(rows) * double(cols);
  const auto forward = [=] {
    const Tensor x = numbers<B, T>(rows, cols), w = numbers<B, A>(cols), b = numbers<B, A>(cols),
                 y = numbers<B, T>(rows, cols), m = numbers<B, A>(rows, 2);
    return [=] {
      kernels::layer_norm<T>(B(), at<T>(x), at<A>(w), at<A>(b), at<T>(y), at<A>(m), at<A>(m) + rows, rows, cols, 1e-5f);
    };
  };
  const auto backward = [=] {
    const Tensor x = numbers<B, T>(rows, cols), w = numbers<B, A>(cols), dy = numbers<B, T>(rows, cols),
                 dx = numbers<B, T>(rows, cols), m = numbers<B, A>(rows, 2), dw = numbers<B, A>(cols),
                 db = numbers<B, A>(cols);
    return [=] {
      kernels::layer_norm_backward<T>(B(), at<T>(x), at<A>(w), at<A>(m), at<A>(m) + rows, at<T>(dy), {at<T>(dx)},
                                      {at<A>(dw)}, {at<A>(db)}, rows, cols);
    };
  };
  std::function<KernelCase::Call()> forward_peer, backward_peer;
#ifdef ACE_CUDA
  if constexpr (on_gpu<B>) {
    forward_peer = [=] {
      const Tensor x = numbers<B, T>(rows, cols), w = numbers<B, A>(cols), b = numbers<B, A>(cols),
                   y = numbers<B, T>(rows, cols), m = numbers<B, A>(rows, 2);
      return held(
          peer::layer_norm(x.dtype(), x.raw(), at<A>(w), at<A>(b), y.raw(), at<A>(m), at<A>(m) + rows, rows, cols),
          {x, w, b, y, m});
    };
    backward_peer = [=] {
      const Tensor x = numbers<B, T>(rows, cols), w = numbers<B, A>(cols), dy = numbers<B, T>(rows, cols),
                   dx = numbers<B, T>(rows, cols), m = numbers<B, A>(rows, 2), dw = numbers<B, A>(cols),
                   db = numbers<B, A>(cols);
      return held(peer::layer_norm_backward(x.dtype(), x.raw(), at<A>(w), at<A>(m), at<A>(m) + rows, dy.raw(), dx.raw(),
                                            at<A>(dw), at<A>(db), rows, cols),
                  {x, w, dy, dx, m, dw, db});
    };
  }
#endif
  add_case(cases, "layer norm", size, 8 * n, sizeof(T) * 2 * n, forward, forward_peer);
  add_case(cases, "layer norm, backward", size, 14 * n, sizeof(T) * 3 * n, backward, backward_peer);
}

/// Dropout, sum and layer norm in one pass over memory.
template <class B, class T>
void add_residual_norms(Cases& cases, int64_t rows) {
  using A = Accumulator<T>;
  const std::string size = fmt::format("{} x {}", rows, d);
  const double n = double(rows) * d;
  add_case(cases, "residual norm", size, 12 * n, sizeof(T) * 4 * n, [=] {
    const Tensor x = numbers<B, T>(rows, d), branch = numbers<B, T>(rows, d), w = numbers<B, A>(d),
                 b = numbers<B, A>(d), y = numbers<B, T>(rows, d), sum = numbers<B, T>(rows, d),
                 m = numbers<B, A>(rows, 2), key = values<B>(std::vector{kernels::DropoutKey{1, 2}});
    return [=] {
      kernels::residual_norm<T>(B(), {0.1, as<kernels::DropoutKey>(key), 3}, at<T>(x), at<T>(branch), at<A>(w),
                                at<A>(b), at<T>(y), at<T>(sum), at<A>(m), at<A>(m) + rows, rows, d, 1e-5f);
    };
  });
  add_case(cases, "residual norm, backward", size, 17 * n, sizeof(T) * 4 * n, [=] {
    const Tensor sum = numbers<B, T>(rows, d), w = numbers<B, A>(d), dy = numbers<B, T>(rows, d),
                 dx = numbers<B, T>(rows, d), dbranch = numbers<B, T>(rows, d), m = numbers<B, A>(rows, 2),
                 dw = numbers<B, A>(d), db = numbers<B, A>(d), key = values<B>(std::vector{kernels::DropoutKey{1, 2}}),
                 scratch = numbers<B, A>(kernels::residual_norm_backward_scratch(rows, d));
    return [=] {
      kernels::residual_norm_backward<T>(B(), {0.1, as<kernels::DropoutKey>(key), 3}, at<T>(sum), at<A>(w), at<A>(m),
                                         at<A>(m) + rows, at<T>(dy), {at<T>(dx)}, {at<T>(dbranch)}, {at<A>(dw)},
                                         {at<A>(db)}, at<A>(scratch), rows, d);
    };
  });
}

template <class B, class T>
void add_softmaxes(Cases& cases, int64_t rows, int64_t cols) {
  for (const bool log : {true, false}) {
    const std::string size = fmt::format("{} x {}", rows, cols);
    const double n = double(rows) * double(cols);
    std::function<KernelCase::Call()> forward_peer, backward_peer;
#ifdef ACE_CUDA
    if constexpr (on_gpu<B>) {
      forward_peer = [=] {
        const Tensor x = numbers<B, T>(rows, cols), y = numbers<B, T>(rows, cols);
        return held(peer::softmax(x.dtype(), log, x.raw(), y.raw(), rows, cols), {x, y});
      };
      backward_peer = [=] {
        const Tensor y = numbers<B, T>(rows, cols), dy = numbers<B, T>(rows, cols), dx = numbers<B, T>(rows, cols);
        return held(peer::softmax_backward(y.dtype(), log, y.raw(), dy.raw(), dx.raw(), rows, cols), {y, dy, dx});
      };
    }
#endif
    add_case(
        cases, log ? "log-softmax" : "softmax", size, 5 * n, sizeof(T) * 2 * n,
        [=] {
          const Tensor x = numbers<B, T>(rows, cols), y = numbers<B, T>(rows, cols);
          return KernelCase::Call([=] {
            if (log) return kernels::log_softmax(B(), at<T>(x), at<T>(y), rows, cols);
            kernels::softmax(B(), at<T>(x), at<T>(y), rows, cols);
          });
        },
        forward_peer);
    add_case(
        cases, log ? "log-softmax, backward" : "softmax, backward", size, 4 * n, sizeof(T) * 3 * n,
        [=] {
          const Tensor y = numbers<B, T>(rows, cols), dy = numbers<B, T>(rows, cols), dx = numbers<B, T>(rows, cols);
          return KernelCase::Call([=] {
            if (log) return kernels::log_softmax_backward<T>(B(), at<T>(y), at<T>(dy), {at<T>(dx)}, rows, cols);
            kernels::softmax_backward<T>(B(), at<T>(y), at<T>(dy), {at<T>(dx)}, rows, cols);
          });
        },
        backward_peer);
  }
}

/// Σ_r x [r, c], Σ_c x [r, c] and Σ_rc x [r, c].
template <class B, class T>
void add_sums(Cases& cases, int64_t rows, int64_t cols) {
  using A = Accumulator<T>;
  add_elements<B, T>(cases, "sum of rows", rows, cols, 1, 1, [](auto part, int64_t r, int64_t c) {
    kernels::sum_rows<T>(B(), part(0), c, {reinterpret_cast<A*>(part(1))}, r, c);
  });
  add_elements<B, T>(cases, "sum of columns", rows, cols, 1, 1,
                     [](auto part, int64_t r, int64_t c) { kernels::sum<T>(B(), part(0), part(1), r, c, 1, A(1)); });
  add_elements<B, T>(cases, "sum of all", rows, cols, 1, 1, [](auto part, int64_t r, int64_t c) {
    kernels::sum<T>(B(), part(0), part(1), 1, r * c, 1, A(1));
  });
}

template <class B, class T>
void add_rows(Cases& cases) {
  for (const int64_t rows : small_and_large) {
    add_layer_norms<B, T>(cases, rows, d);
    add_residual_norms<B, T>(cases, rows);
    add_sums<B, T>(cases, rows, d);
  }
  for (const int64_t rows : {512, 2500, 65536}) add_softmaxes<B, T>(cases, rows, 128);
  if (on_gpu<B>) {
    add_layer_norms<B, T>(cases, 65536, 1024);
    add_residual_norms<B, T>(cases, 131072);
    add_softmaxes<B, T>(cases, 65536, 1024);
    add_sums<B, T>(cases, 65536, 1024);
  }
}

template <class B, class T>
void add_dropouts(Cases& cases, int64_t rows, int64_t cols, bool relu) {
  const double n = double(rows) * double(cols);
  add_case(cases, relu ? "relu and dropout" : "dropout", fmt::format("{} x {}", rows, cols), n, sizeof(T) * 2 * n, [=] {
    const Tensor x = numbers<B, T>(rows, cols), y = numbers<B, T>(rows, cols),
                 key = values<B>(std::vector{kernels::DropoutKey{1, 2}});
    return KernelCase::Call([=] {
      const kernels::Drop drop{0.1, as<kernels::DropoutKey>(key), 3};
      if (relu) return kernels::relu_dropout(B(), drop, at<T>(x), at<T>(y), rows * cols);
      kernels::dropout<T>(B(), drop, at<T>(x), {at<T>(y)}, rows * cols);
    });
  });
}

template <class B, class T>
void add_activations(Cases& cases, int64_t rows) {
  using kernels::Activation;
  for (const auto& [name, kind] : {std::pair<std::string, Activation>("relu", Activation::relu),
                                   {"elu", Activation::elu},
                                   {"silu", Activation::silu},
                                   {"sigmoid", Activation::sigmoid},
                                   {"tanh", Activation::tanh},
                                   {"gelu", Activation::gelu}}) {
    const int64_t cols = kind == Activation::relu ? inner : d;
    add_elements<B, T>(cases, name, rows, cols, 2, 1, [kind = kind](auto part, int64_t r, int64_t c) {
      kernels::activation<T>(B(), kind, part(0), part(1), r * c);
    });
    // No derivative needs both x and y: one stands for the other, as in the backward pass of a linear layer.
    add_elements<B, T>(cases, name + ", backward", rows, cols, 3, 2, [kind = kind](auto part, int64_t r, int64_t c) {
      kernels::activation_backward<T>(B(), kind, part(0), part(0), part(1), {part(2)}, r * c);
    });
  }
}

template <class B, class T>
void add_arithmetic(Cases& cases, int64_t rows) {
  using kernels::Arithmetic;
  for (const auto& [name, kind, operands, flops] :
       {std::tuple<std::string, Arithmetic, int, double>("add", Arithmetic::add, 3, 0),
        {"sub", Arithmetic::sub, 3, 1},
        {"mul", Arithmetic::mul, 5, 2},
        {"div", Arithmetic::div, 5, 6}}) {
    const auto shape = [](int64_t n) { return kernels::Broadcast{1, {n}, {1}, {1}}; };
    add_elements<B, T>(cases, name, rows, d, 3, 1, [=, kind = kind](auto part, int64_t r, int64_t c) {
      kernels::arithmetic<T>(B(), kind, shape(r * c), part(0), part(1), part(2));
    });
    const bool reads = operands == 5;
    add_elements<B, T>(cases, name + ", backward", rows, d, operands, flops,
                       [=, kind = kind](auto part, int64_t r, int64_t c) {
                         const T *const a = reads ? part(3) : nullptr, *const b = reads ? part(4) : nullptr;
                         kernels::arithmetic_backward_a<T>(B(), kind, shape(r * c), a, b, part(0), {part(1)});
                         kernels::arithmetic_backward_b<T>(B(), kind, shape(r * c), a, b, part(0), {part(2)});
                       });
  }
  add_elements<B, T>(cases, "scale", rows, d, 2, 1, [](auto part, int64_t r, int64_t c) {
    kernels::scale<T>(B(), Accumulator<T>(0.5f), part(0), {part(1)}, r * c);
  });
}

/// Two parts under their gates and one that gates itself: where the decoder's memories meet.
template <class B, class T>
void add_gated_sums(Cases& cases, int64_t rows) {
  using kernels::Activation;
  add_elements<B, T>(cases, "gated sum", rows, d, 6, 16, [](auto part, int64_t r, int64_t c) {
    const T *const gates[] = {part(1), part(2)}, *const parts[] = {part(3), part(4)};
    kernels::gated_sum<T>(B(), Activation::silu, 0.5f, part(0), gates, parts, 2, part(5), r * c);
  });
  add_elements<B, T>(cases, "gated sum, backward", rows, d, 11, 30, [](auto part, int64_t r, int64_t c) {
    const T *const gates[] = {part(1), part(2)}, *const parts[] = {part(3), part(4)};
    const kernels::Grad<T> dgates[] = {{part(6)}, {part(7)}}, dparts[] = {{part(8)}, {part(9)}};
    kernels::gated_sum_backward<T>(B(), Activation::silu, 0.5f, part(0), gates, parts, 2, part(5), {part(10)}, dgates,
                                   dparts, r * c);
  });
}

/// What moves numbers.
template <class B, class T>
void add_copies(Cases& cases, int64_t rows) {
  add_elements<B, T>(cases, "copy", rows, d, 2, 0,
                     [](auto part, int64_t r, int64_t c) { kernels::copy<T>(B(), part(0), {part(1)}, r * c); });
  add_elements<B, T>(cases, "copy, left half of rows", rows, d, 2, 0, [](auto part, int64_t r, int64_t c) {
    kernels::copy_block<T>(B(), part(0), 2 * c, {part(2)}, c, r, c);
  });
  add_elements<B, T>(cases, "repeat a row", rows, d, 1, 1, [](auto part, int64_t r, int64_t c) {
    kernels::repeat<T>(B(), part(0), {part(1)}, 1, r, c, Accumulator<T>(1));
  });
  if constexpr (sizeof(T) == 2) {  // beside f32 they are two operands and one
    const auto wide = [](T* x) { return reinterpret_cast<float*>(x); };
    add_elements<B, T>(cases, "convert from f32", rows, d, 3, 0,
                       [=](auto part, int64_t r, int64_t c) { kernels::convert(B(), wide(part(0)), part(2), r * c); });
    add_elements<B, T>(cases, "convert to f32", rows, d, 3, 0,
                       [=](auto part, int64_t r, int64_t c) { kernels::convert(B(), part(2), wide(part(0)), r * c); });
  }
}

template <class B, class T>
void add_element_cases(Cases& cases, int64_t rows) {
  add_activations<B, T>(cases, rows);
  add_dropouts<B, T>(cases, rows, d, false);
  add_dropouts<B, T>(cases, rows, inner, true);
  add_elements<B, T>(cases, "relu and dropout, backward", rows, inner, 3, 1, [](auto part, int64_t r, int64_t c) {
    kernels::relu_dropout_backward<T>(B(), {0.1}, part(0), part(1), {part(2)}, r * c);
  });
  add_gated_sums<B, T>(cases, rows);
  add_arithmetic<B, T>(cases, rows);
  add_copies<B, T>(cases, rows);
}

}  // namespace

template <class B, class T>
void add_layer_cases(Cases& cases) {
  add_rows<B, T>(cases);
  for (const int64_t rows : small_and_large) add_element_cases<B, T>(cases, rows);
  if (on_gpu<B>) add_element_cases<B, T>(cases, 131072);
  add_elements<B, T>(cases, "copy", 65536, 1024, 2, 0,
                     [](auto part, int64_t r, int64_t c) { kernels::copy<T>(B(), part(0), {part(1)}, r * c); });
  for (const int64_t n : {1024, 8192}) {
    add_elements<B, T>(cases, "transpose", n, n, 2, 0, [](auto part, int64_t r, int64_t c) {
      kernels::transpose<T>(B(), part(0), {part(1)}, 1, r, c);
    });
  }
}

template void add_layer_cases<Cpu, float>(Cases&);
#ifdef ACE_CUDA
template void add_layer_cases<Cuda, float>(Cases&);
template void add_layer_cases<Cuda, kernels::f16>(Cases&);
template void add_layer_cases<Cuda, kernels::bf16>(Cases&);
#endif

}  // namespace tools::bench
