#include "ace/beam_search.h"

#include <algorithm>
#include <numeric>

#include "kernels/top_k.h"

namespace ace {

using tensor::DType;
using tensor::Shape;

namespace {

/// The kept prefixes of all queries after a step: query q owns rows offsets[q] … offsets[q + 1] − 1, best first.
struct Prefixes {
  Tensor offsets;             ///< i32 [queries + 1]
  std::vector<double> score;  ///< [rows]
  /// [rows] ascending with the prefix in lexicographic order, so that ties are broken without comparing whole prefixes:
  /// its node in the trie; in unconstrained search its place among those of its query.
  std::vector<int32_t> rank;
  std::vector<int32_t> parent, token;  ///< [rows] the row of the step before that it extends, and by what

  int32_t begin(size_t query) const { return offsets.data<int32_t>()[query]; }
  int32_t end(size_t query) const { return offsets.data<int32_t>()[query + 1]; }
  int64_t rows() const { return int64_t(score.size()); }
  int64_t queries() const { return offsets.elements() - 1; }
};

/// The empty prefix, once for each query.
Prefixes start(int64_t queries) {
  Prefixes none{Tensor(Shape{queries + 1}, DType::i32), {}, {}, {}, {}};
  const auto rows = none.offsets.values<int32_t>();
  std::iota(rows.begin(), rows.end(), 0);
  none.score.resize(size_t(queries)), none.rank.resize(size_t(queries));
  return none;
}

Tensor as_tensor(const std::vector<int32_t>& values) {
  return Tensor::of<int32_t>(Shape{int64_t(values.size())}, std::span<const int32_t>(values));
}

/// Best extensions of each query: kernels::top_k, with memory for what it needs. found [queries, width].
struct Extensions {
  std::vector<kernels::Extension> found;
  std::vector<int32_t> count;
  int64_t width;
};
Extensions best_extensions(const Prefixes& from, const Tensor& logits, const uint64_t* mask, int64_t beam) {
  const int64_t queries = from.queries(), vocabulary = logits.cols();
  int64_t most = 1;
  for (size_t q = 0; q < size_t(queries); ++q) most = std::max<int64_t>(most, from.end(q) - from.begin(q));
  const int64_t width = std::min(beam, most * vocabulary);
  const kernels::Cpu cpu;
  Extensions best{std::vector<kernels::Extension>(size_t(queries * width)), std::vector<int32_t>(size_t(queries)),
                  width};
  std::vector<kernels::Extension> scratch(size_t(kernels::top_k_scratch(width, cpu.threads())));
  tensor::dispatch(tensor::floating, logits, [&](auto backend, auto type) {
    using T = decltype(type);
    const kernels::Beams<T> beams{
        logits.data<T>(), from.score.data(), from.rank.data(), mask, from.offsets.data<int32_t>(), queries, vocabulary};
    kernels::top_k(backend, beams, width, best.found.data(), best.count.data(), scratch.data());
  });
  return best;
}

/// The places of new prefixes among those of their query in lexicographic order.
void rank_by_tokens(Prefixes& to, const Prefixes& from) {
  std::vector<int32_t> order(to.score.size());
  std::iota(order.begin(), order.end(), 0);
  for (size_t q = 0; q < size_t(to.queries()); ++q) {
    std::sort(order.begin() + to.begin(q), order.begin() + to.end(q), [&](int32_t a, int32_t b) {
      const int32_t x = from.rank[size_t(to.parent[size_t(a)])], y = from.rank[size_t(to.parent[size_t(b)])];
      return x != y ? x < y : to.token[size_t(a)] < to.token[size_t(b)];
    });
    for (int32_t i = to.begin(q); i < to.end(q); ++i) to.rank[size_t(order[size_t(i)])] = i;
  }
}

/// One step: the best `beam` extensions of every query, by the tree's tokens or, without a level of it, by all.
Prefixes extend(const Prefixes& from, const Tensor& logits, const kernels::TreeLevel* level, int64_t beam,
                int64_t position) {
  const kernels::Cpu cpu;
  std::vector<uint64_t> masks;
  if (level) {
    masks.resize(size_t(from.rows() * kernels::mask_words(level->vocabulary)));
    kernels::tree_masks(cpu, *level, from.rank.data(), masks.data(), from.rows());
  }
  const Extensions best = best_extensions(from, logits, level ? masks.data() : nullptr, beam);

  Prefixes to{Tensor(from.offsets.shape(), DType::i32), {}, {}, {}, {}};
  int32_t* const offsets = to.offsets.data<int32_t>();
  offsets[0] = 0;
  for (size_t q = 0; q < best.count.size(); ++q) {
    tensor::check(best.count[q] >= 0,
                  "beam search: the model's scores are not numbers at position {}: a weight is not finite, or so "
                  "large that sums overflow",
                  position);
    offsets[q + 1] = offsets[q] + best.count[q];
    for (const kernels::Extension& e : std::span(best.found).subspan(q * size_t(best.width), size_t(best.count[q]))) {
      to.score.push_back(e.score), to.rank.push_back(e.rank), to.parent.push_back(e.row), to.token.push_back(e.token);
    }
  }
  if (level) {
    kernels::tree_children(cpu, *level, to.rank.data(), to.token.data(), to.rank.data(), to.rows());
  } else {
    rank_by_tokens(to, from);
  }
  return to;
}

/// Final list of one query, ties by smaller item. `steps`: the prefixes after 0, 1, …, J positions.
std::vector<Hypothesis> finish(const std::vector<Prefixes>& steps, size_t query, const Trie& trie, bool constrained) {
  const Prefixes& last = steps.back();
  std::vector<Hypothesis> result;
  for (int32_t row = last.begin(query); row < last.end(query); ++row) {
    Hypothesis& hypothesis = result.emplace_back(last.score[size_t(row)], std::vector<int32_t>(steps.size() - 1), -1);
    int32_t at = row;
    for (size_t j = steps.size() - 1; j > 0; at = steps[j].parent[size_t(at)], --j) {
      hypothesis.tokens[j - 1] = steps[j].token[size_t(at)];
    }
    hypothesis.item = constrained ? trie.item(last.rank[size_t(row)]) : trie.find(hypothesis.tokens);
  }
  std::stable_sort(result.begin(), result.end(), [](const Hypothesis& a, const Hypothesis& b) {
    if (a.score != b.score) return a.score > b.score;
    return uint32_t(a.item) < uint32_t(b.item);  // −1, no item, last
  });
  return result;
}

}  // namespace

std::vector<std::vector<Hypothesis>> beam_search(const Retriever& model, const nn::TextBatch& text, const Trie& trie,
                                                 const BeamOptions& options) {
  tensor::check(options.beam >= 1, "beam search: expected a beam of at least 1, found {}", options.beam);
  tensor::check(trie.positions() == model.positions(),
                "beam search: expected identifiers of {} positions, as the model has, found {}", model.positions(),
                trie.positions());
  for (int64_t j = 0; j < model.positions(); ++j) {
    const int64_t expected = model.options().identifiers[size_t(j)], found = trie.level(j).vocabulary;
    tensor::check(found == expected,
                  "beam search: expected a vocabulary of {} at position {}, as the model has, found {}", expected, j,
                  found);
  }
  const autograd::NoGrad inference;
  nn::Pass pass;
  const Retriever::Memory memory = model.encode(text, pass);
  std::vector<Prefixes> steps{start(memory.queries)};
  Retriever::State state;
  Tensor tokens;
  for (int64_t position = 0; position < model.positions() && steps.back().rows() > 0; ++position) {
    const Prefixes& from = steps.back();
    const Variable logits = model.step(memory, tokens, from.offsets, state);
    const kernels::TreeLevel* const level = options.constrained ? &trie.level(position) : nullptr;
    Prefixes to = extend(from, logits.value(), level, options.beam, position);
    tokens = as_tensor(to.token);
    if (position + 1 < model.positions()) model.reorder(state, as_tensor(to.parent));
    steps.push_back(std::move(to));
  }
  std::vector<std::vector<Hypothesis>> results(size_t(memory.queries));
  kernels::Cpu().parallel(memory.queries, 500 * options.beam, [&](int64_t begin, int64_t end) {
    for (int64_t q = begin; q < end; ++q) results[size_t(q)] = finish(steps, size_t(q), trie, options.constrained);
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
