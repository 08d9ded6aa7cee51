#include "ace/beam_search.h"

#include <algorithm>

#include "kernels/beam_step.h"

namespace ace {

using tensor::DType;
using tensor::Shape;

namespace {

/// The kept prefixes of all queries, on the model's device: memory for kernels::BeamRows, which says what it holds.
struct Prefixes {
  Prefixes(int64_t queries, int64_t width, int64_t length, tensor::Device device)
      : queries(queries),
        width(width),
        length(length),
        score(Shape{queries * width}, DType::f64, device),
        rank(Shape{queries * width}, DType::i32, device),
        alive(Shape{queries}, DType::i32, device),
        tokens(Shape{length, queries * width}, DType::i32, device),
        rows{Tensor(Shape{queries * width}, DType::i32, device), Tensor(Shape{queries + 1}, DType::i32, device),
             Tensor(Shape{length + 1, queries * width}, DType::i32, device)} {}

  int64_t queries, width, length;
  Tensor score, rank, alive, tokens;
  Retriever::Rows rows;

  kernels::BeamRows view() const {
    return {queries,
            width,
            length,
            score.data<double>(),
            rank.data<int32_t>(),
            alive.data<int32_t>(),
            tokens.data<int32_t>(),
            rows.ancestors.data<int32_t>(),
            rows.inputs.data<int32_t>(),
            rows.offsets.data<int32_t>()};
  }
};

/// The empty prefix, once for each query.
Prefixes start(int64_t queries, tensor::Device device) {
  const Prefixes none(queries, 1, 0, device);
  tensor::dispatch(tensor::TypeList<double>(), none.score,
                   [&](auto backend, auto) { kernels::beam_start(backend, none.view()); });
  return none;
}

/// One step: the best `width` extensions of every query, by the level's tokens or, without a tree, by all.
Prefixes extend(const Prefixes& from, const Tensor& logits, const kernels::TreeLevel& level, int64_t width,
                int32_t first_input) {
  static_assert(sizeof(kernels::Extension) == 3 * sizeof(double));
  const Prefixes to(from.queries, width, from.length + 1, logits.device());
  const Tensor found(Shape{from.queries, width, 3}, DType::f64, logits.device());
  tensor::dispatch(tensor::floating, logits, [&](auto backend, auto type) {
    using T = decltype(type);
    const kernels::BeamRows before = from.view(), after = to.view();
    const kernels::Beams<T> beams{logits.data<T>(), before.score, before.rank,   before.alive,
                                  from.queries,     from.width,   logits.cols(), level};
    auto* const extensions = reinterpret_cast<kernels::Extension*>(found.data<double>());
    kernels::top_k(backend, beams, width, extensions, after.alive);
    kernels::beam_step(backend, before, extensions, level, first_input, after);
  });
  return to;
}

/// Final list of one query, ties by smaller item.
std::vector<Hypothesis> finish(const Prefixes& last, int64_t query, const Trie& trie, bool constrained) {
  const int64_t rows = last.queries * last.width;
  std::vector<Hypothesis> result;
  for (int64_t i = 0; i < last.alive.data<int32_t>()[query]; ++i) {
    const int64_t row = query * last.width + i;
    Hypothesis& hypothesis = result.emplace_back(last.score.data<double>()[row]);
    for (int64_t j = 0; j < last.length; ++j) hypothesis.tokens.push_back(last.tokens.data<int32_t>()[j * rows + row]);
    hypothesis.item = constrained ? trie.item(last.rank.data<int32_t>()[row]) : trie.find(hypothesis.tokens);
  }
  std::stable_sort(result.begin(), result.end(), [](const Hypothesis& a, const Hypothesis& b) {
    if (a.score != b.score) return a.score > b.score;
    return uint32_t(a.item) < uint32_t(b.item);  // −1, no item, last
  });
  return result;
}

void check_fit(const Retriever& model, const Trie& trie, int64_t beam) {
  tensor::check(beam >= 1, "beam search: expected a beam of at least 1, found {}", beam);
  tensor::check(model.device() == tensor::Device::cpu || beam <= kernels::top_k_most,
                "beam search: expected a beam of at most {} on a GPU, found {}", kernels::top_k_most, beam);
  tensor::check(trie.positions() == model.positions(),
                "beam search: expected identifiers of {} positions, as the model has, found {}", model.positions(),
                trie.positions());
  for (int64_t j = 0; j < model.positions(); ++j) {
    const int64_t expected = model.options().identifiers[size_t(j)], found = trie.level(j).vocabulary;
    tensor::check(found == expected,
                  "beam search: expected a vocabulary of {} at position {}, as the model has, found {}", expected, j,
                  found);
  }
}

/// `alive` after each position.
void check_numbers(std::span<const Tensor> alive) {
  for (size_t position = 0; position < alive.size(); ++position) {
    const Tensor here = alive[position].to(tensor::Device::cpu);
    const auto counts = here.values<int32_t>();
    tensor::check(std::ranges::none_of(counts, [](int32_t n) { return n < 0; }),
                  "beam search: the model's scores are not numbers at position {}: a weight is not finite, or so "
                  "large that sums overflow",
                  position);
  }
}

}  // namespace

std::vector<std::vector<Hypothesis>> beam_search(const Retriever& model, const nn::TextBatch& text, const Trie& trie,
                                                 const BeamOptions& options) {
  check_fit(model, trie, options.beam);
  const autograd::NoGrad inference;
  nn::Pass pass;
  const Retriever::Memory memory = model.encode(text, pass);
  std::vector<std::vector<Hypothesis>> results(size_t(memory.queries));
  if (memory.queries == 0) return results;
  Prefixes kept = start(memory.queries, model.device());
  Retriever::State state;
  const std::span<const kernels::TreeLevel> levels = trie.levels_on(model.device());
  std::vector<Tensor> alive;
  for (int64_t position = 0; position < model.positions(); ++position) {
    const tensor::Range range(model.device(), fmt::format("position {}", position));
    const Variable logits = model.step(memory, kept.rows, state);
    const int64_t most = options.constrained ? trie.nodes(position + 1) : kept.width * logits.cols();
    const int64_t width = std::min({options.beam, kept.width * logits.cols(), most});
    const kernels::TreeLevel level = options.constrained ? levels[size_t(position)] : kernels::TreeLevel();
    kept = extend(kept, logits.value(), level, width, model.embedding_row(position, 0));
    alive.push_back(kept.alive);
  }
  check_numbers(alive);
  for (Tensor* x : {&kept.score, &kept.rank, &kept.alive, &kept.tokens}) *x = x->to(tensor::Device::cpu);
  kernels::Cpu().parallel(memory.queries, 500 * options.beam, [&](int64_t begin, int64_t end) {
    for (int64_t q = begin; q < end; ++q) results[size_t(q)] = finish(kept, q, trie, options.constrained);
  });
  return results;
}

Tensor score_identifiers(const Retriever& model, const nn::TextBatch& text, const Tensor& identifiers) {
  const autograd::NoGrad inference;
  nn::Pass pass;
  const Retriever::Memory memory = model.encode(text, pass);
  const int64_t queries = memory.queries, items = identifiers.size(0), j = identifiers.size(1);
  Tensor scores = tensor::zeros(Shape{queries, items}, DType::f64);
  for (int64_t n = 0; n < items; ++n) {
    Tensor repeated(Shape{queries, j}, DType::i32);
    const int32_t* row = identifiers.data<int32_t>() + n * j;
    for (int64_t b = 0; b < queries; ++b) std::copy(row, row + j, repeated.data<int32_t>() + b * j);
    const std::vector<Variable> logits = model.forward(memory, repeated, pass);
    for (int64_t p = 0; p < j; ++p) {
      const Tensor log_p = autograd::log_softmax(logits[size_t(p)]).value().to(DType::f64);
      for (int64_t b = 0; b < queries; ++b) {
        scores.data<double>()[b * items + n] += log_p.data<double>()[b * log_p.cols() + row[p]];
      }
    }
  }
  return scores;
}

}  // namespace ace
