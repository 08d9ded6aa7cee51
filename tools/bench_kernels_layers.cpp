#include "kernels/activation.h"
#include "kernels/arithmetic.h"
#include "kernels/attention.h"
#include "kernels/copy.h"
#include "kernels/dropout.h"
#include "kernels/gated_sum.h"
#include "kernels/gemm.h"
#include "kernels/layer_norm.h"
#include "kernels/reduce.h"
#include "kernels/residual_norm.h"
#include "kernels/softmax.h"
#include "nn/sequence.h"
#include "tools/bench_kernels_cases.h"

namespace tools::bench {
namespace {

using kernels::Grad;
using kernels::Precision;

/// C = A B; `left`: A is stored as [k, m]; `right`: B is stored as [n, k].
template <class B, class T>
void add_gemm(Cases& cases, const char* kernel, int64_t m, int64_t n, int64_t k, bool left, bool right,
              Precision precision) {
  const double flops = 2 * double(m) * double(n) * double(k);
  const double bytes = sizeof(T) * (double(m) * double(k) + double(k) * double(n) + double(m) * double(n));
  const auto ours = [=] {
    const Tensor a = numbers<B, T>(m, k), b = numbers<B, T>(k, n), c = numbers<B, T>(m, n);
    return [=] {
      kernels::gemm<T>(B(), m, n, k, 1, {at<T>(a), left ? m : k, left}, {at<T>(b), right ? k : n, right}, 0, at<T>(c),
                       n, {}, precision);
    };
  };
  std::function<KernelCase::Call()> peer;
#ifdef ACE_CUDA
  if constexpr (on_gpu<B>) {
    peer = [=] {
      const Tensor a = numbers<B, T>(m, k), b = numbers<B, T>(k, n), c = numbers<B, T>(m, n);
      return held(peer::product(a.dtype(), m, n, k, a.raw(), left, b.raw(), right, c.raw()), {a, b, c});
    };
  }
#endif
  add_case(cases, kernel, fmt::format("{} x {} x {}", m, n, k), flops, bytes, ours, peer);
}

/// y = x Wᵀ, dx = dy W, dW = dyᵀ x.
template <class B, class T>
void add_products(Cases& cases, Precision precision) {
  for (const int64_t rows : rows_of_model) {
    add_gemm<B, T>(cases, "linear", rows, d, d, false, true, precision);
    add_gemm<B, T>(cases, "linear", rows, inner, d, false, true, precision);
    add_gemm<B, T>(cases, "linear", rows, d, inner, false, true, precision);
  }
  for (const int64_t rows : small_and_large) {
    add_gemm<B, T>(cases, "linear, dx", rows, d, inner, false, false, precision);
    add_gemm<B, T>(cases, "linear, dW", inner, d, rows, true, false, precision);
  }
  for (const int64_t rows : {100, 500, 2500, 5000}) {  // a step of the search: 100 queries, beam 1, 5, 25, 50
    add_gemm<B, T>(cases, "linear", rows, d, d, false, true, precision);
    add_gemm<B, T>(cases, "linear", rows, inner, d, false, true, precision);
  }
  for (const int64_t rows : {128, 512, 2500}) add_gemm<B, T>(cases, "logits", rows, 128, d, false, true, precision);
  for (const int64_t n : {1024, 2048}) add_gemm<B, T>(cases, "gemm", n, n, n, false, false, precision);
  if (on_gpu<B>) add_gemm<B, T>(cases, "gemm", 8192, 8192, 8192, false, false, precision);
}

struct Attention {
  const char* name;
  int64_t sequences, queries, keys;  ///< rows of each sequence
  bool causal, backward;
};

template <class B, class T>
void add_attention(Cases& cases, const Attention& a) {
  using A = Accumulator<T>;
  const double pairs = double(a.sequences) * double(a.queries) * double(a.keys) * (a.causal ? 0.5 : 1);
  const double rows = double(a.sequences) * double(a.queries + a.keys) * d;
  const std::string size = fmt::format("{} x ({}, {})", a.sequences, a.queries, a.keys);
  const int64_t nq = a.sequences * a.queries, nk = a.sequences * a.keys;
  const auto ours = [=] {
    const Tensor q = numbers<B, T>(nq, d), k = numbers<B, T>(nk, d), v = numbers<B, T>(nk, d), o = numbers<B, T>(nq, d),
                 lse = numbers<B, A>(nq, heads);
    const Tensor dq = numbers<B, T>(nq, d), dk = numbers<B, T>(nk, d), dv = numbers<B, T>(nk, d),
                 d_o = numbers<B, T>(nq, d);
    const Tensor q_offsets = nn::Sequences::uniform(a.sequences, a.queries).offsets.to(device_of<B>),
                 k_offsets = nn::Sequences::uniform(a.sequences, a.keys).offsets.to(device_of<B>);
    const kernels::AttentionShape shape{
        a.sequences, heads, d / heads, q_offsets.data<int32_t>(), k_offsets.data<int32_t>(), a.causal, d, d, d, nq, nk};
    const auto forward = [=] { kernels::attention(B(), shape, at<T>(q), at<T>(k), at<T>(v), at<T>(o), at<A>(lse)); };
    forward();
    return KernelCase::Call([=, kept = std::vector{q_offsets, k_offsets}] {
      if (!a.backward) return forward();
      kernels::attention_backward<T>(B(), shape, at<T>(q), at<T>(k), at<T>(v), at<T>(o), at<A>(lse), at<T>(d_o),
                                     {at<T>(dq)}, {at<T>(dk)}, {at<T>(dv)});
    });
  };
  std::function<KernelCase::Call()> peer;
#ifdef ACE_CUDA
  if (on_gpu<B> && !a.causal && !a.backward) {
    peer = [=] {
      const Tensor q = numbers<B, T>(nq, d), k = numbers<B, T>(nk, d), v = numbers<B, T>(nk, d),
                   o = numbers<B, T>(nq, d);
      return held(peer::attention(q.dtype(), a.sequences, heads, d / heads, a.queries, a.keys, q.raw(), k.raw(),
                                  v.raw(), o.raw()),
                  {q, k, v, o});
    };
  }
#endif
  add_case(cases, a.name, size, pairs * 4 * d * (a.backward ? 2.5 : 1), sizeof(T) * rows * (a.backward ? 4 : 2), ours,
           peer);
}

/// A step of the decoder: each row attends to its prefix, whose keys lie where they were written.
template <class B, class T>
void add_attention_step(Cases& cases, int64_t rows) {
  constexpr int64_t positions = 3;
  const double keys = double(rows) * positions * d;
  add_case(cases, "attention, one step", fmt::format("{} x {}", rows, positions), 4 * keys,
           sizeof(T) * (2 * keys + 2 * double(rows) * d), [=] {
             const Tensor q = numbers<B, T>(rows, d), o = numbers<B, T>(rows, d),
                          k = numbers<B, T>(positions * rows, d), v = numbers<B, T>(positions * rows, d);
             std::vector<int32_t> lines;
             std::vector<const T*> k_at, v_at;
             for (int64_t p = 0; p < positions; ++p) {
               k_at.push_back(at<T>(k) + p * rows * d), v_at.push_back(at<T>(v) + p * rows * d);
               for (int64_t r = 0; r < rows; ++r) lines.push_back(int32_t(r));
             }
             const Tensor row_of = values<B>(lines), k_list = values<B>(k_at), v_list = values<B>(v_at);
             return [=, kept = std::vector{k, v}] {
               kernels::attention_step(B(), rows, heads, d / heads, positions, as<int32_t>(row_of), at<T>(q),
                                       as<const T*>(k_list), as<const T*>(v_list), at<T>(o));
             };
           });
}

template <class B, class T>
void add_attentions(Cases& cases) {
  for (const bool backward : {false, true}) {
    const char* name = backward ? "attention, backward" : "attention";
    add_attention<B, T>(cases, {name, 128, 12, 12, false, backward});
    add_attention<B, T>(cases, {name, 128, 24, 24, false, backward});
    add_attention<B, T>(cases, {name, 512, 24, 24, false, backward});
    add_attention<B, T>(cases, {name, 512, 4, 4, true, backward});
    add_attention<B, T>(cases, {name, 512, 4, 24, false, backward});
    add_attention<B, T>(cases, {name, 8, 512, 512, false, backward});
    if (on_gpu<B>) add_attention<B, T>(cases, {name, 16, 2048, 2048, false, backward});
  }
  add_attention<B, T>(cases, {"attention", 100, 25, 12, false, false});  // a step of the search, beam 25
  add_attention<B, T>(cases, {"attention", 2500, 1, 4, false, false});
  for (const int64_t rows : {500, 5000}) add_attention_step<B, T>(cases, rows);
}

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

template <class B, class T>
void add_rows(Cases& cases) {
  for (const int64_t rows : small_and_large) {
    add_layer_norms<B, T>(cases, rows, d);
    add_residual_norms<B, T>(cases, rows);
    add_elements<B, T>(cases, "sum of rows", rows, d, 1, 1, [](T* a, T*, T* y, int64_t r, int64_t c) {
      kernels::sum_rows<T>(B(), a, c, {reinterpret_cast<Accumulator<T>*>(y)}, r, c);
    });
  }
  for (const int64_t rows : {512, 2500, 65536}) add_softmaxes<B, T>(cases, rows, 128);
  if (on_gpu<B>) {
    add_layer_norms<B, T>(cases, 65536, 1024);
    add_residual_norms<B, T>(cases, 131072);
    add_softmaxes<B, T>(cases, 65536, 1024);
    add_elements<B, T>(cases, "sum of rows", 65536, 1024, 1, 1, [](T* a, T*, T* y, int64_t r, int64_t c) {
      kernels::sum_rows<T>(B(), a, c, {reinterpret_cast<Accumulator<T>*>(y)}, r, c);
    });
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

/// Two parts under their gates and one that gates itself: where the decoder's memories meet.
template <class B, class T>
void add_gated_sum(Cases& cases, int64_t rows) {
  const double n = double(rows) * d;
  add_case(cases, "gated sum", fmt::format("{} x {}", rows, d), 16 * n, sizeof(T) * 6 * n, [=] {
    const Tensor x = numbers<B, T>(6 * rows, d);
    return [=] {
      T* const all = at<T>(x);
      const auto part = [=](int64_t i) { return all + i * rows * d; };
      const T* const gates[] = {part(1), part(2)};
      const T* const parts[] = {part(3), part(4)};
      kernels::gated_sum<T>(B(), kernels::Activation::silu, 0.5f, part(0), gates, parts, 2, part(5), rows * d);
    };
  });
}

template <class B, class T>
void add_element_cases(Cases& cases, int64_t rows) {
  using kernels::Activation;
  for (const auto& [name, kind] : {std::pair("relu", Activation::relu),
                                   {"silu", Activation::silu},
                                   {"sigmoid", Activation::sigmoid},
                                   {"elu", Activation::elu}}) {
    const int64_t cols = kind == Activation::relu ? inner : d;
    add_elements<B, T>(cases, name, rows, cols, 2, 1, [kind = kind](T* a, T*, T* y, int64_t r, int64_t c) {
      kernels::activation(B(), kind, a, y, r * c);
    });
  }
  add_dropouts<B, T>(cases, rows, d, false);
  add_dropouts<B, T>(cases, rows, inner, true);
  add_gated_sum<B, T>(cases, rows);
  add_elements<B, T>(cases, "add", rows, d, 3, 1, [](T* a, T* b, T* y, int64_t r, int64_t c) {
    const kernels::Broadcast shape{1, {r * c}, {1}, {1}};
    kernels::arithmetic(B(), kernels::Arithmetic::add, shape, a, b, y);
  });
  add_elements<B, T>(cases, "copy", rows, d, 2, 0,
                     [](T* a, T*, T* y, int64_t r, int64_t c) { kernels::copy<T>(B(), a, {y}, r * c); });
}

}  // namespace

template <class B, class T>
void add_layer_cases(Cases& cases) {
  add_products<B, T>(cases, Precision::full);
  add_attentions<B, T>(cases);
  add_rows<B, T>(cases);
  for (const int64_t rows : small_and_large) add_element_cases<B, T>(cases, rows);
  if (on_gpu<B>) add_element_cases<B, T>(cases, 131072);
  add_elements<B, T>(cases, "copy", 65536, 1024, 2, 0,
                     [](T* a, T*, T* y, int64_t r, int64_t c) { kernels::copy<T>(B(), a, {y}, r * c); });
  for (const int64_t n : {1024, 8192}) {
    add_elements<B, T>(cases, "transpose", n, n, 2, 0,
                       [](T* a, T*, T* y, int64_t r, int64_t c) { kernels::transpose<T>(B(), a, {y}, 1, r, c); });
  }
}
void add_narrow_products(Cases& cases, Precision precision) { add_products<Cpu, float>(cases, precision); }

template void add_layer_cases<Cpu, float>(Cases&);
#ifdef ACE_CUDA
template void add_layer_cases<Cuda, float>(Cases&);
template void add_layer_cases<Cuda, kernels::f16>(Cases&);
template void add_layer_cases<Cuda, kernels::bf16>(Cases&);
#endif

}  // namespace tools::bench
