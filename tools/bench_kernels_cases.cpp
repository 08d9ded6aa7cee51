#include <memory>

#include "kernels/activation.h"
#include "kernels/arithmetic.h"
#include "kernels/attention.h"
#include "kernels/copy.h"
#include "kernels/dropout.h"
#include "kernels/embedding.h"
#include "kernels/gemm.h"
#include "kernels/layer_norm.h"
#include "kernels/loss.h"
#include "kernels/nearest.h"
#include "kernels/optimizer.h"
#include "kernels/reduce.h"
#include "kernels/softmax.h"
#include "nn/sequence.h"
#include "tools/bench_inputs.h"
#include "tools/bench_kernels.h"

namespace tools::bench {
namespace {

using kernels::Cpu;
using tensor::DType;
using tensor::Tensor;
using Cases = std::vector<KernelCase>;

constexpr int64_t d = 512, heads = 8, inner = 4 * d;
constexpr int64_t rows_of_model[] = {64 * 12 * 2, 64 * 24 * 2, 256 * 12 * 2, 256 * 24 * 2};
constexpr int64_t small_and_large[] = {64 * 12 * 2, 256 * 24 * 2};

/// Numbers in [−½, ½).
Tensor numbers(int64_t rows, int64_t cols = 1) {
  Tensor x({rows, cols}, DType::f32);
  uint32_t state = 1;
  for (float& value : x.values<float>()) {
    state = state * 1664525u + 1013904223u;
    value = float(state >> 8) * 0x1p-24f - 0.5f;
  }
  return x;
}
float* at(const Tensor& x) { return x.data<float>(); }

/// A kernel over rows × cols elements that reads and writes `operands` numbers for each.
template <class Call>
void add_elements(Cases& cases, const char* kernel, int64_t rows, int64_t cols, int operands, double flops, Call call) {
  const int64_t n = rows * cols;
  cases.push_back({kernel, fmt::format("{} x {}", rows, cols), flops * double(n), 4.0 * double(n) * operands, [=] {
                     const Tensor a = numbers(rows, cols), b = numbers(rows, cols), y = numbers(rows, cols);
                     return [=] { call(at(a), at(b), at(y), rows, cols); };
                   }});
}

void add_gemm(Cases& cases, const char* kernel, int64_t m, int64_t n, int64_t k, bool left, bool right) {
  const double flops = 2 * double(m) * double(n) * double(k);
  const double bytes = 4 * (double(m) * double(k) + double(k) * double(n) + double(m) * double(n));
  cases.push_back({kernel, fmt::format("{} x {} x {}", m, n, k), flops, bytes, [=] {
                     const Tensor a = numbers(m, k), b = numbers(k, n), c = numbers(m, n);
                     return [=] {
                       kernels::gemm<float>(Cpu(), m, n, k, 1, {at(a), left ? m : k, left},
                                            {at(b), right ? k : n, right}, 0, at(c), n);
                     };
                   }});
}

/// y = x Wᵀ, dx = dy W, dW = dyᵀ x.
void add_products(Cases& cases) {
  for (const int64_t rows : rows_of_model) {
    add_gemm(cases, "linear", rows, d, d, false, true);
    add_gemm(cases, "linear", rows, inner, d, false, true);
    add_gemm(cases, "linear", rows, d, inner, false, true);
  }
  for (const int64_t rows : small_and_large) {
    add_gemm(cases, "linear, dx", rows, d, inner, false, false);
    add_gemm(cases, "linear, dW", inner, d, rows, true, false);
  }
  for (const int64_t rows : {100, 500, 2500, 5000}) {  // a step of the search: 100 queries, beam 1, 5, 25, 50
    add_gemm(cases, "linear", rows, d, d, false, true);
    add_gemm(cases, "linear", rows, inner, d, false, true);
  }
  for (const int64_t rows : {128, 512, 2500}) add_gemm(cases, "logits", rows, 128, d, false, true);
  for (const int64_t n : {1024, 2048}) add_gemm(cases, "gemm", n, n, n, false, false);
}

struct Attention {
  const char* name;
  int64_t sequences, queries, keys;  ///< rows of each sequence
  bool causal, backward;
};

void add_attention(Cases& cases, const Attention& a) {
  const double pairs = double(a.sequences) * double(a.queries) * double(a.keys) * (a.causal ? 0.5 : 1);
  const double rows = double(a.sequences) * double(a.queries + a.keys) * d;
  const std::string size = fmt::format("{} x ({}, {})", a.sequences, a.queries, a.keys);
  cases.push_back(
      {a.name, size, pairs * 4 * d * (a.backward ? 2.5 : 1), 4 * rows * (a.backward ? 4 : 2), [=] {
         const int64_t nq = a.sequences * a.queries, nk = a.sequences * a.keys;
         const Tensor q = numbers(nq, d), k = numbers(nk, d), v = numbers(nk, d), o = numbers(nq, d),
                      lse = numbers(nq, heads);
         const Tensor dq = numbers(nq, d), dk = numbers(nk, d), dv = numbers(nk, d), d_o = numbers(nq, d);
         const Tensor q_offsets = nn::Sequences::uniform(a.sequences, a.queries).offsets,
                      k_offsets = nn::Sequences::uniform(a.sequences, a.keys).offsets;
         const kernels::AttentionShape shape{
             a.sequences, heads, d / heads, q_offsets.data<int32_t>(), k_offsets.data<int32_t>(), a.causal, d, d,
             d,           nq,    nk};
         kernels::attention(Cpu(), shape, at(q), at(k), at(v), at(o), at(lse));
         return std::function<void()>([=, keep = std::vector{q_offsets, k_offsets}] {
           if (a.backward) {
             kernels::attention_backward<float>(Cpu(), shape, at(q), at(k), at(v), at(o), at(lse), at(d_o), {at(dq)},
                                                {at(dk)}, {at(dv)});
           } else {
             kernels::attention(Cpu(), shape, at(q), at(k), at(v), at(o), at(lse));
           }
         });
       }});
}

void add_attentions(Cases& cases) {
  for (const bool backward : {false, true}) {
    const char* name = backward ? "attention, backward" : "attention";
    add_attention(cases, {name, 128, 12, 12, false, backward});
    add_attention(cases, {name, 128, 24, 24, false, backward});
    add_attention(cases, {name, 512, 24, 24, false, backward});
    add_attention(cases, {name, 512, 4, 4, true, backward});
    add_attention(cases, {name, 512, 4, 24, false, backward});
    add_attention(cases, {name, 8, 512, 512, false, backward});
  }
  add_attention(cases, {"attention", 100, 25, 12, false, false});  // a step of the search, beam 25
  add_attention(cases, {"attention", 2500, 1, 4, false, false});
}

void add_rows(Cases& cases) {
  using kernels::Grad;
  for (const int64_t rows : small_and_large) {
    cases.push_back(
        {"layer norm", fmt::format("{} x {}", rows, d), 8.0 * double(rows) * d, 8.0 * double(rows) * d, [=] {
           const Tensor x = numbers(rows, d), w = numbers(d), b = numbers(d), y = numbers(rows, d),
                        m = numbers(rows, 2);
           return [=] {
             kernels::layer_norm<float>(Cpu(), at(x), at(w), at(b), at(y), at(m), at(m) + rows, rows, d, 1e-5f);
           };
         }});
    cases.push_back({"layer norm, backward", fmt::format("{} x {}", rows, d), 14.0 * double(rows) * d,
                     12.0 * double(rows) * d, [=] {
                       const Tensor x = numbers(rows, d), w = numbers(d), dy = numbers(rows, d), dx = numbers(rows, d),
                                    m = tensor::full({rows, 2}, DType::f32, 1), dw = numbers(d), db = numbers(d);
                       return [=] {
                         kernels::layer_norm_backward<float>(Cpu(), at(x), at(w), at(m), at(m) + rows, at(dy), {at(dx)},
                                                             {at(dw)}, {at(db)}, rows, d);
                       };
                     }});
    add_elements(cases, "sum of rows", rows, d, 1, 1, [](float* a, float*, float* y, int64_t r, int64_t c) {
      kernels::sum_rows<float>(Cpu(), a, c, {y}, r, c);
    });
  }
  for (const int64_t rows : {512, 2500, 65536}) {
    add_elements(cases, "log-softmax", rows, 128, 2, 5,
                 [](float* a, float*, float* y, int64_t r, int64_t c) { kernels::log_softmax(Cpu(), a, y, r, c); });
  }
}

void add_elementwise(Cases& cases) {
  using kernels::Activation;
  for (const int64_t rows : small_and_large) {
    for (const auto& [name, kind] : {std::pair("relu", Activation::relu),
                                     {"silu", Activation::silu},
                                     {"sigmoid", Activation::sigmoid},
                                     {"elu", Activation::elu}}) {
      const int64_t cols = kind == Activation::relu ? inner : d;
      add_elements(cases, name, rows, cols, 2, 1, [kind = kind](float* a, float*, float* y, int64_t r, int64_t c) {
        kernels::activation(Cpu(), kind, a, y, r * c);
      });
    }
    add_elements(cases, "dropout", rows, d, 2, 1, [](float* a, float*, float* y, int64_t r, int64_t c) {
      static const kernels::DropoutKey key{1, 2};
      kernels::dropout<float>(Cpu(), {0.1, &key, 3}, a, {y}, r * c);
    });
    add_elements(cases, "add", rows, d, 3, 1, [](float* a, float* b, float* y, int64_t r, int64_t c) {
      const kernels::Broadcast shape{1, {r * c}, {1}, {1}};
      kernels::arithmetic(Cpu(), kernels::Arithmetic::add, shape, a, b, y);
    });
    add_elements(cases, "copy", rows, d, 2, 0,
                 [](float* a, float*, float* y, int64_t r, int64_t c) { kernels::copy<float>(Cpu(), a, {y}, r * c); });
  }
  add_elements(cases, "copy", 65536, 1024, 2, 0,
               [](float* a, float*, float* y, int64_t r, int64_t c) { kernels::copy<float>(Cpu(), a, {y}, r * c); });
}

void add_losses(Cases& cases) {
  for (const int64_t rows : {128, 512}) {
    const double n = double(rows) * 128;
    cases.push_back({"cross-entropy", fmt::format("{} x 128", rows), 3 * n, 4 * n, [=] {
                       const Tensor x = numbers(rows, 128), loss = numbers(rows), targets = draw_tokens(rows, {128}, 1);
                       return
                           [=] { kernels::cross_entropy(Cpu(), at(x), targets.data<int32_t>(), at(loss), rows, 128); };
                     }});
    add_elements(cases, "two-way KL", rows, 128, 2, 10, [](float* a, float* b, float* y, int64_t r, int64_t c) {
      kernels::bidirectional_kl(Cpu(), a, b, y, r, c);
    });
  }
  add_elements(cases, "squared error", 2048, 1024, 2, 3, [](float* a, float* b, float* y, int64_t r, int64_t c) {
    kernels::squared_error(Cpu(), a, b, y, r, c);
  });
}

void add_lookups(Cases& cases) {
  for (const int64_t rows : small_and_large) {
    const double bytes = 8.0 * double(rows) * d;
    for (const bool backward : {false, true}) {
      const char* name = backward ? "embedding, backward" : "embedding";
      cases.push_back({name, fmt::format("{} of 8192 x {}", rows, d), 0, backward ? bytes * 1.5 : bytes, [=] {
                         const Tensor table = numbers(8192, d), y = numbers(rows, d),
                                      ids = draw_tokens(rows, {8192}, 1);
                         return std::function<void()>([=] {
                           if (backward) {
                             kernels::embedding_backward<float>(Cpu(), at(y), ids.data<int32_t>(), {at(table), true},
                                                                rows, 8192, d, 1);
                           } else {
                             kernels::embedding<float>(Cpu(), at(table), ids.data<int32_t>(), at(y), rows, d, 1);
                           }
                         });
                       }});
    }
  }
  for (const auto& [n, k, width] : {std::tuple<int64_t, int64_t, int64_t>(2048, 128, 64), {8192, 128, 1024}}) {
    const double flops = 2 * double(n) * double(k) * double(width), bytes = 4 * double(n + k) * double(width);
    cases.push_back(
        {"nearest", fmt::format("{} of {} x {}", n, k, width), flops, bytes, [n = n, k = k, width = width] {
           const Tensor x = numbers(n, width), e = numbers(k, width), index({n}, DType::i32), distance = numbers(n),
                        scratch = numbers(kernels::nearest_scratch(kernels::Cpu(), n, k));
           return [=] {
             kernels::nearest(Cpu(), at(x), at(e), index.data<int32_t>(), at(distance), n, k, width, at(scratch));
           };
         }});
  }
}

void add_optimizer(Cases& cases) {
  for (const int64_t n : {d * d, int64_t(30) << 20}) {  // one matrix, and about all weights of a retriever
    cases.push_back({"adam", fmt::format("{}", n), 12.0 * double(n), 28.0 * double(n), [=] {
                       const Tensor p = numbers(n), g = numbers(n), m = tensor::zeros({n}, DType::f32),
                                    v = tensor::zeros({n}, DType::f32);
                       return [=] {
                         static const kernels::AdamStep step;
                         const kernels::AdamTensor<float> tensor{at(p), at(g), at(m), at(v), n};
                         kernels::adam(Cpu(), &step, &tensor, 1);
                       };
                     }});
    cases.push_back({"sum of squares", fmt::format("{}", n), 2.0 * double(n), 4.0 * double(n), [=] {
                       const Tensor g = numbers(n);
                       return [=] {
                         static double sum = 0;
                         sum += kernels::sum_of_squares(Cpu(), at(g), n);
                       };
                     }});
  }
}

}  // namespace

std::vector<KernelCase> kernel_cases() {
  Cases cases;
  for (const auto add :
       {add_products, add_attentions, add_rows, add_elementwise, add_losses, add_lookups, add_optimizer}) {
    add(cases);
  }
  return cases;
}

}  // namespace tools::bench
