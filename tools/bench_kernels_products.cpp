#include "kernels/attention.h"
#include "kernels/gemm.h"
#include "nn/sequence.h"
#include "tools/bench_kernels_cases.h"

namespace tools::bench {
namespace {

using kernels::Precision;

/// C = A B; `left`: A is stored as [k, m]; `right`: B is stored as [n, k].
template <class B, class T>
void add_product(Cases& cases, const char* kernel, int64_t m, int64_t n, int64_t k, [[maybe_unused]] bool left,
                 [[maybe_unused]] bool right, std::function<KernelCase::Call()> ours) {
  const double flops = 2 * double(m) * double(n) * double(k);
  const double bytes = sizeof(T) * (double(m) * double(k) + double(k) * double(n) + double(m) * double(n));
  std::function<KernelCase::Call()> peer;
#ifdef ACE_CUDA
  if constexpr (on_gpu<B>) {
    peer = [=] {
      const Tensor a = numbers<B, T>(m, k), b = numbers<B, T>(k, n), c = numbers<B, T>(m, n);
      return held(peer::product(a.dtype(), m, n, k, a.raw(), left, b.raw(), right, c.raw()), {a, b, c});
    };
  }
#endif
  add_case(cases, kernel, fmt::format("{} x {} x {}", m, n, k), flops, bytes, std::move(ours), peer);
}

template <class B, class T>
void add_gemm(Cases& cases, const char* kernel, int64_t m, int64_t n, int64_t k, bool left, bool right,
              Precision precision) {
  add_product<B, T>(cases, kernel, m, n, k, left, right, [=] {
    const Tensor a = numbers<B, T>(m, k), b = numbers<B, T>(k, n), c = numbers<B, T>(m, n);
    return [=] {
      kernels::gemm<T>(B(), m, n, k, 1, {at<T>(a), left ? m : k, left}, {at<T>(b), right ? k : n, right}, 0, at<T>(c),
                       n, {}, precision);
    };
  });
}

/// A weight [n, k], which is f32, in the order in which products read it; then C = A Wᵀ with such a one.
template <class B>
void add_pack(Cases& cases, int64_t n, int64_t k, Precision precision) {
  const int64_t bytes = kernels::gemm_packed_bytes(B(), n, k, precision);
  add_case(cases, "linear, packing", fmt::format("{} x {}", n, k), 0, 4 * double(n) * double(k) + double(bytes), [=] {
    const Tensor weight = numbers<B, float>(n, k), packed({bytes}, DType::u8, device_of<B>);
    return [=] { kernels::gemm_pack(B(), n, k, {at<float>(weight), k, true}, precision, packed.raw()); };
  });
}
template <class B, class T>
void add_packed(Cases& cases, int64_t m, int64_t n, int64_t k, Precision precision) {
  using A = Accumulator<T>;
  add_product<B, T>(cases, "linear, packed", m, n, k, false, true, [=] {
    const Tensor a = numbers<B, T>(m, k), weight = numbers<B, float>(n, k), c = numbers<B, T>(m, n),
                 packed({kernels::gemm_packed_bytes(B(), n, k, precision)}, DType::u8, device_of<B>);
    kernels::gemm_pack(B(), n, k, {at<float>(weight), k, true}, precision, packed.raw());
    return [=] {
      kernels::gemm_packed(B(), m, n, k, A(1), kernels::Matrix<T>{at<T>(a), k}, packed.raw(), A(0), at<T>(c), n,
                           kernels::Finish<A>{}, precision);
    };
  });
}

/// C_p = A_p B_pᵀ: the scores of attention in plain steps.
template <class B, class T>
void add_batched(Cases& cases, int64_t batch, int64_t n, int64_t k) {
  const double inputs = 2 * double(n) * double(k), outputs = double(n) * double(n);
  add_case(cases, "batched gemm", fmt::format("{} of {} x {} x {}", batch, n, n, k), 2 * double(batch * k) * outputs,
           sizeof(T) * double(batch) * (inputs + outputs), [=] {
             const Tensor a = numbers<B, T>(batch * n, k), b = numbers<B, T>(batch * n, k),
                          c = numbers<B, T>(batch * n, n);
             return [=] {
               kernels::gemm_batched<T>(B(), batch, n, n, k, 1, {at<T>(a), k}, n * k, {at<T>(b), k, true}, n * k, 0,
                                        at<T>(c), n, n * n);
             };
           });
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
  const Precision packed = std::is_same_v<T, kernels::f16>    ? Precision::f16
                           : std::is_same_v<T, kernels::bf16> ? Precision::bf16
                                                              : precision;
  add_pack<B>(cases, d, d, packed);
  add_pack<B>(cases, inner, d, packed);
  for (const int64_t rows : {100, 500, 2500, 5000}) {  // a step of the search: 100 queries, beam 1, 5, 25, 50
    for (const int64_t n : {int64_t(128), d, inner}) add_packed<B, T>(cases, rows, n, d, packed);
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

}  // namespace

template <class B, class T>
void add_product_cases(Cases& cases) {
  add_products<B, T>(cases, Precision::full);
  add_batched<B, T>(cases, 512 * heads, 24, d / heads);
  add_batched<B, T>(cases, 8 * heads, 512, d / heads);
  add_attentions<B, T>(cases);
}
void add_narrow_products(Cases& cases, Precision precision) { add_products<Cpu, float>(cases, precision); }

template void add_product_cases<Cpu, float>(Cases&);
#ifdef ACE_CUDA
template void add_product_cases<Cuda, float>(Cases&);
template void add_product_cases<Cuda, kernels::f16>(Cases&);
template void add_product_cases<Cuda, kernels::bf16>(Cases&);
#endif

}  // namespace tools::bench
