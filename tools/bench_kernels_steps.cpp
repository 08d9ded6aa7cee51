#include "kernels/beam_step.h"
#include "kernels/embedding.h"
#include "kernels/group_sums.h"
#include "kernels/load_rows.h"
#include "kernels/loss.h"
#include "kernels/nearest.h"
#include "kernels/optimizer.h"
#include "kernels/r_drop.h"
#include "kernels/radix_sort.h"
#include "kernels/reduce.h"
#include "kernels/top_k.h"
#include "tools/bench_kernels_cases.h"

namespace tools::bench {
namespace {

constexpr int64_t vocabulary = 128;

template <class B, class T>
void add_losses(Cases& cases, int64_t rows) {
  using A = Accumulator<T>;
  const double n = double(rows) * vocabulary;
  const std::string size = fmt::format("{} x {}", rows, vocabulary);
  add_elements<B, T>(cases, "two-way KL", rows, vocabulary, 2, 10, [](auto part, int64_t r, int64_t c) {
    kernels::bidirectional_kl<T>(B(), part(0), part(1), reinterpret_cast<A*>(part(2)), r, c);
  });
  add_elements<B, T>(cases, "two-way KL, backward", rows, vocabulary, 4, 25, [](auto part, int64_t r, int64_t c) {
    kernels::bidirectional_kl_backward<T>(B(), part(0), part(1), reinterpret_cast<A*>(part(4)), {part(2)}, {part(3)}, r,
                                          c);
  });
  for (const bool backward : {false, true}) {
    add_case(cases, backward ? "cross-entropy, backward" : "cross-entropy", size, (backward ? 5 : 3) * n,
             sizeof(T) * n * (backward ? 2 : 1), [=] {
               const Tensor x = numbers<B, T>(rows, vocabulary), dx = numbers<B, T>(rows, vocabulary),
                            loss = numbers<B, A>(rows), targets = draw_tokens(rows, {vocabulary}, 1).to(device_of<B>);
               return KernelCase::Call([=] {
                 const int32_t* const t = targets.data<int32_t>();
                 if (!backward) return kernels::cross_entropy(B(), at<T>(x), t, at<A>(loss), rows, vocabulary);
                 kernels::cross_entropy_backward<T>(B(), at<T>(x), t, at<A>(loss), {at<T>(dx)}, rows, vocabulary);
               });
             });
    // rows / 2 pairs
    add_case(cases, backward ? "R-Drop, backward" : "R-Drop", size, 12 * n, sizeof(T) * n * (backward ? 2 : 1), [=] {
      const int64_t pairs = rows / 2;
      const Tensor x = numbers<B, T>(rows, vocabulary), dx = numbers<B, T>(rows, vocabulary),
                   losses = numbers<B, A>(pairs, 4), kept = numbers<B, A>(pairs, 4),
                   targets = draw_tokens(pairs, {vocabulary}, 1).to(device_of<B>);
      return KernelCase::Call([=] {
        A* const loss = at<A>(losses);
        const int32_t* const t = targets.data<int32_t>();
        if (!backward) {
          return kernels::r_drop<T>(B(), at<T>(x), t, 1, loss, loss + pairs, loss + 2 * pairs, at<A>(kept), pairs,
                                    vocabulary);
        }
        kernels::r_drop_backward<T>(B(), at<T>(x), t, 1, at<A>(kept), loss + 3 * pairs, {at<T>(dx)}, pairs, vocabulary);
      });
    });
  }
}

template <class B, class T>
void add_embeddings(Cases& cases, int64_t rows) {
  using A = Accumulator<T>;
  const double n = double(rows) * d;
  for (const bool backward : {false, true}) {
    const char* name = backward ? "embedding, backward" : "embedding";
    const double bytes = n * double(sizeof(T) + sizeof(A) * (backward ? 2 : 1));
    add_case(cases, name, fmt::format("{} of 8192 x {}", rows, d), 0, bytes, [=] {
      const Tensor table = numbers<B, A>(8192, d), y = numbers<B, T>(rows, d),
                   ids = draw_tokens(rows, {8192}, 1).to(device_of<B>);
      return KernelCase::Call([=] {
        const int32_t* const id = ids.data<int32_t>();
        if (!backward) return kernels::embedding<T>(B(), at<A>(table), id, at<T>(y), rows, d, 1);
        kernels::embedding_backward<T>(B(), at<T>(y), id, {at<A>(table), true}, rows, 8192, d, 1);
      });
    });
  }
}

/// A level of a tree whose every node has the even tokens for children, as bits.
template <class B>
struct LevelOnDevice {
  static constexpr int64_t children = vocabulary / 2;
  Tensor first, tokens;
  kernels::TreeLevel view{vocabulary, 0, kernels::TreeLevel::Form::bits};

  explicit LevelOnDevice(int64_t nodes) {
    std::vector<uint32_t> begin;
    for (int64_t i = 0; i <= nodes; ++i) begin.push_back(uint32_t(children * i));
    first = values<B>(begin), tokens = values<B>(std::vector<uint64_t>(size_t(nodes) * 2, 0x5555555555555555u));
    view.nodes = nodes, view.first = as<uint32_t>(first), view.tokens = tokens.raw();
  }
};

/// The rows of a search of 100 queries, all alive, at `length`.
template <class B>
struct Search {
  static constexpr int64_t queries = 100;
  Tensor score, rank, alive, tokens, ancestors, input, offsets;
  kernels::BeamRows view{};

  Search(int64_t width, int64_t length, int64_t nodes) {
    const int64_t rows = queries * width;
    std::vector<double> scores;
    std::vector<int32_t> ranks;
    for (int64_t r = 0; r < rows; ++r) {
      scores.push_back(-0.1 * double(r % width)), ranks.push_back(int32_t(r % width * (nodes / width)));
    }
    const auto zeros = [](int64_t n) { return values<B>(std::vector<int32_t>(size_t(n), 0)); };
    score = values<B>(scores), rank = values<B>(ranks), input = zeros(rows), offsets = zeros(queries + 1);
    alive = values<B>(std::vector<int32_t>(queries, int32_t(width)));
    tokens = zeros(rows * length), ancestors = zeros(rows * (length + 1));
    view = {queries,
            width,
            length,
            as<double>(score),
            as<int32_t>(rank),
            as<int32_t>(alive),
            as<int32_t>(tokens),
            as<int32_t>(ancestors),
            as<int32_t>(input),
            as<int32_t>(offsets)};
  }
};

/// Position 2 of a search: the best `width` of all children of 100 · width prefixes, in a tree of `nodes`.
template <class B, class T>
void add_search(Cases& cases, int64_t width) {
  using kernels::Extension;
  constexpr int64_t nodes = 16384;
  const int64_t rows = Search<B>::queries * width;
  const std::string size = fmt::format("100 x {} x {}", width, vocabulary);
  const double n = double(rows) * vocabulary;
  add_case(cases, "top k", size, 3 * n, sizeof(T) * n + double(rows) * (16 + sizeof(Extension)), [=] {
    const LevelOnDevice<B> level(nodes);
    const Search<B> from(width, 2, nodes), to(width, 3, nodes);
    const Tensor logits = numbers<B, T>(rows, vocabulary), found = values<B>(std::vector<Extension>(size_t(rows)));
    return [=] {
      const kernels::Beams<T> beams{at<T>(logits), from.view.score, from.view.rank, from.view.alive,
                                    from.queries,  width,           vocabulary,     level.view};
      kernels::top_k(B(), beams, width, as<Extension>(found), to.view.alive);
    };
  });
  if constexpr (std::is_same_v<T, float>) {
    add_case(cases, "beam step", size, 0, double(rows) * (sizeof(Extension) + 2 * (8 + 4 * 7)), [=] {
      const LevelOnDevice<B> level(nodes);
      const Search<B> from(width, 2, nodes), to(width, 3, nodes);
      std::vector<Extension> list;
      for (int64_t r = 0; r < rows; ++r) {
        const int32_t node = int32_t(r % width * (nodes / width));
        list.push_back({-0.1 * double(r % width), node, int32_t(r), int32_t(2 * (r % 64))});
      }
      const Tensor found = values<B>(list);
      return [=] { kernels::beam_step(B(), from.view, as<Extension>(found), level.view, 1, to.view); };
    });
    add_case(cases, "tree, masks", fmt::format("{} of {}", rows, nodes), 0, double(rows) * 36, [=] {
      const LevelOnDevice<B> level(nodes);
      const Search<B> from(width, 2, nodes);
      const Tensor masks = values<B>(std::vector<uint64_t>(size_t(rows) * 2));
      return [=] { kernels::tree_masks(B(), level.view, from.view.rank, as<uint64_t>(masks), rows); };
    });
    add_case(cases, "tree, children", fmt::format("{} of {}", rows, nodes), 0, double(rows) * 32, [=] {
      const LevelOnDevice<B> level(nodes);
      const Search<B> from(width, 2, nodes);
      std::vector<int32_t> list;
      for (int64_t r = 0; r < rows; ++r) list.push_back(int32_t(r % vocabulary));  // every other one is none
      const Tensor token = values<B>(list), child = values<B>(list);
      return [=] {
        kernels::tree_children(B(), level.view, from.view.rank, as<int32_t>(token), as<int32_t>(child), rows);
      };
    });
  }
}

/// The empty prefixes with which a search begins.
template <class B>
void add_start(Cases& cases) {
  constexpr int64_t queries = Search<B>::queries;
  add_case(cases, "beam start", fmt::format("{}", queries), 0, double(queries) * (8 + 4 * 5), [] {
    const Search<B> to(1, 0, 1);
    return [=] { kernels::beam_start(B(), to.view); };
  });
}

/// What K-means and the RQ-VAE do with vectors; in f32 and f64 alone.
template <class B>
void add_vectors(Cases& cases) {
  using T = float;
  for (const auto& [n, k, width] : {std::tuple<int64_t, int64_t, int64_t>(2048, 128, 64), {8192, 128, 1024}}) {
    const double flops = 2 * double(n) * double(k) * double(width), bytes = 4 * double(n + k) * double(width);
    const std::string size = fmt::format("{} of {} x {}", n, k, width);
    add_case(cases, "nearest", size, flops, bytes, [n = n, k = k, width = width] {
      const Tensor x = numbers<B, T>(n, width), e = numbers<B, T>(k, width), distance = numbers<B, T>(n),
                   index({n}, DType::i32, device_of<B>), scratch = numbers<B, T>(kernels::nearest_scratch(B(), n, k));
      return [=] {
        kernels::nearest(B(), at<T>(x), at<T>(e), index.data<int32_t>(), at<T>(distance), n, k, width, at<T>(scratch));
      };
    });
    add_case(cases, "squared distances", fmt::format("{} to 8 of {}", n, width), 3 * 8 * double(n) * double(width),
             4 * double(n) * double(width), [n = n, width = width] {
               const Tensor x = numbers<B, T>(n, width), e = numbers<B, T>(8, width), y = numbers<B, T>(n, 8);
               return [=] { kernels::squared_distances(B(), at<T>(x), at<T>(e), at<T>(y), n, 8, width); };
             });
  }
  constexpr int64_t n = 100000, width = 512, groups = 128;
  add_case(cases, "group sums", fmt::format("{} x {} in {}", n, width, groups), double(n) * width, 4.0 * n * width, [] {
    const Tensor x = numbers<B, T>(n, width), labels = draw_tokens(n, {groups}, 1).to(device_of<B>),
                 sums = tensor::zeros({groups, width}, DType::f64, device_of<B>);
    return [=] { kernels::group_sums(B(), at<T>(x), labels.data<int32_t>(), sums.data<double>(), n, groups, width); };
  });
  if constexpr (!on_gpu<B>) {
    add_case(cases, "load rows, to length 1", fmt::format("{} x {}", n, width), 3.0 * n * width, 8.0 * n * width, [] {
      const Tensor x = numbers<B, T>(n, width), y = numbers<B, T>(n, width);
      return [=] { kernels::load_rows(B(), at<T>(x), nullptr, {true}, at<T>(y), n, width); };
    });
  }
  for (const int64_t words : {int64_t(12288), int64_t(1) << 22}) {  // of an embedding's gradient; of a tree
    add_case(cases, "radix sort", fmt::format("{}, 32 bits", words), 0, 8.0 * 2 * 4 * double(words), [=] {
      const Tensor list = numbers<B, T>(words, 2);
      const Tensor spare = [&] {
        if constexpr (on_gpu<B>) return numbers<B, T>(kernels::radix_sort_scratch(B(), words), 2);
        return numbers<B, T>(kernels::radix_sort_scratch(words), 2);
      }();
      return [=] { kernels::radix_sort(B(), as<uint64_t>(list), as<uint64_t>(spare), words, 0, 32); };
    });
  }
}

/// Parameters, their gradients and moments: never in 16 bits. And what a step begins with.
template <class B>
void add_optimizer(Cases& cases) {
  using T = float;
  for (const int64_t n : {d * d, int64_t(30) << 20}) {  // one matrix, and about all weights of a retriever
    add_case(cases, "adam", fmt::format("{}", n), 12.0 * double(n), 28.0 * double(n), [=] {
      const Tensor p = numbers<B, T>(n), g = numbers<B, T>(n), m = tensor::zeros({n}, DType::f32, device_of<B>),
                   v = tensor::zeros({n}, DType::f32, device_of<B>);
      const std::vector<kernels::AdamTensor<T>> list{{at<T>(p), at<T>(g), at<T>(m), at<T>(v), n}};
      const Tensor tensors = values<B>(list), step = values<B>(std::vector{kernels::AdamStep{}});
      return [=, kept = std::vector{p, g, m, v}] {
        const auto* const numbers = as<kernels::AdamStep>(step);
        if constexpr (on_gpu<B>) {
          kernels::adam(B(), numbers, as<kernels::AdamTensor<T>>(tensors), 1, n);
        } else {
          kernels::adam(B(), numbers, as<kernels::AdamTensor<T>>(tensors), 1);
        }
      };
    });
    add_case(cases, "sum of squares", fmt::format("{}", n), 2.0 * double(n), 4.0 * double(n), [=] {
      const Tensor g = numbers<B, T>(n), sum = tensor::zeros({1}, DType::f64, device_of<B>);
      const std::vector<kernels::AdamTensor<T>> list{{nullptr, at<T>(g), nullptr, nullptr, n}};
      const Tensor tensors = values<B>(list);
      return [=] {
        if constexpr (on_gpu<B>) {
          kernels::gradient_squares(B(), as<kernels::AdamTensor<T>>(tensors), 1, n, sum.data<double>());
        } else {
          *sum.data<double>() += kernels::sum_of_squares(B(), at<T>(g), n);
        }
      };
    });
  }
  using kernels::AdamStep, kernels::LossScale;
  add_case(cases, "loss gradient", "1", 1, sizeof(double) + sizeof(T), [] {
    const Tensor scale = values<B>(std::vector{LossScale{}}), gradient = numbers<B, T>(1);
    return [=] { kernels::loss_gradient(B(), 1, as<LossScale>(scale), at<T>(gradient)); };
  });
  if constexpr (on_gpu<B>) {  // on the CPU a few lines of the optimiser
    add_case(cases, "prepare step", "1", 0, sizeof(double) + 2 * sizeof(LossScale) + sizeof(AdamStep), [] {
      const Tensor scale = values<B>(std::vector{LossScale{}}), step = values<B>(std::vector{AdamStep{}}),
                   squares = values<B>(std::vector{1.0});
      return [=] { kernels::prepare_step(B(), 1, as<double>(squares), as<LossScale>(scale), as<AdamStep>(step)); };
    });
  }
}

}  // namespace

template <class B, class T>
void add_step_cases(Cases& cases) {
  for (const int64_t rows : {128, 512}) add_losses<B, T>(cases, rows);
  if (on_gpu<B>) add_losses<B, T>(cases, 524288);
  using A = Accumulator<T>;
  add_elements<B, T>(cases, "squared error", 2048, 1024, 2, 3, [](auto part, int64_t r, int64_t c) {
    kernels::squared_error<T>(B(), part(0), part(1), reinterpret_cast<A*>(part(2)), r, c);
  });
  add_elements<B, T>(cases, "squared error, backward", 2048, 1024, 4, 4, [](auto part, int64_t r, int64_t c) {
    kernels::squared_error_backward<T>(B(), part(0), part(1), reinterpret_cast<A*>(part(4)), {part(2)}, {part(3)}, r,
                                       c);
  });
  for (const int64_t rows : small_and_large) add_embeddings<B, T>(cases, rows);
  if (on_gpu<B>) add_embeddings<B, T>(cases, 131072);
  for (const int64_t width : {5, 50}) add_search<B, T>(cases, width);
  if constexpr (std::is_same_v<T, float>) {
    add_start<B>(cases);
    add_vectors<B>(cases);
    add_optimizer<B>(cases);
  }
}
template void add_step_cases<Cpu, float>(Cases&);
#ifdef ACE_CUDA
template void add_step_cases<Cuda, float>(Cases&);
template void add_step_cases<Cuda, kernels::f16>(Cases&);
template void add_step_cases<Cuda, kernels::bf16>(Cases&);
#endif

}  // namespace tools::bench
