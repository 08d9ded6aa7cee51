#include "ace/beam_search.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace ace {

using tensor::DType;
using tensor::Shape;

namespace {

/// A kept prefix. Beams of a query stand in order of score; `rank` is the place of the prefix among them in
/// lexicographic order, so that ties are broken without comparing whole prefixes.
struct Beam {
  double score = 0;
  int32_t node = 0;  ///< in the trie, when constrained
  int32_t rank = 0;
  std::vector<int32_t> tokens;
};

struct Candidate {
  double score;
  int32_t parent;  ///< which beam of the query it extends
  int32_t rank;    ///< that beam's rank
  int32_t token, node;
  bool operator<(const Candidate& other) const {
    if (score != other.score) return score > other.score;
    return rank != other.rank ? rank < other.rank : token < other.token;
  }
};

/// All extensions of a query's beams that may be kept; `log_p` shows the row of each beam.
template <class T>
std::vector<Candidate> extensions(std::span<const Beam> beams, const T* log_p, int64_t vocabulary, const Trie* trie,
                                  int64_t level) {
  std::vector<Candidate> result;
  for (size_t i = 0; i < beams.size(); ++i, log_p += vocabulary) {
    const auto add = [&](int32_t token, int32_t node) {
      const double score = beams[i].score + double(log_p[token]);
      tensor::check(!std::isnan(score),
                    "beam search: the model's scores are not numbers at position {}: a weight is not finite, or so "
                    "large that sums overflow",
                    level);
      if (score > -std::numeric_limits<double>::infinity()) {
        result.push_back({score, int32_t(i), beams[i].rank, token, node});
      }
    };
    if (!trie) {
      for (int32_t token = 0; token < vocabulary; ++token) add(token, 0);
    } else {
      const Trie::Children children = trie->children(level, beams[i].node);
      for (size_t c = 0; c < children.tokens.size(); ++c) add(children.tokens[c], children.first + int32_t(c));
    }
  }
  return result;
}

/// The best `width` candidates as beams, with their lexicographic ranks.
std::vector<Beam> keep(std::vector<Candidate>& candidates, std::span<const Beam> parents, int64_t width) {
  const size_t kept = std::min(candidates.size(), size_t(width));
  std::partial_sort(candidates.begin(), candidates.begin() + int64_t(kept), candidates.end());
  std::vector<Beam> beams(kept);
  std::vector<int32_t> order(kept);
  for (size_t i = 0; i < kept; ++i) {
    const Candidate& candidate = candidates[i];
    beams[i].score = candidate.score, beams[i].node = candidate.node, order[i] = int32_t(i);
    beams[i].tokens = parents[size_t(candidate.parent)].tokens;
    beams[i].tokens.push_back(candidate.token);
  }
  std::sort(order.begin(), order.end(), [&](int32_t a, int32_t b) {
    const Candidate &x = candidates[size_t(a)], &y = candidates[size_t(b)];
    return x.rank != y.rank ? x.rank < y.rank : x.token < y.token;
  });
  for (size_t i = 0; i < kept; ++i) beams[size_t(order[i])].rank = int32_t(i);
  return beams;
}

/// Final list of one query: hypotheses with their items, ties by smaller item.
std::vector<Hypothesis> finish(std::vector<Beam>& beams, const Trie& trie, bool constrained) {
  std::vector<Hypothesis> result;
  for (Beam& beam : beams) {
    const int32_t item = constrained ? trie.item(beam.node) : trie.find(beam.tokens);
    result.push_back({beam.score, std::move(beam.tokens), item});
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
  const autograd::NoGrad inference;
  nn::Pass pass;
  const Retriever::Memory memory = model.encode(text, pass);
  const size_t queries = size_t(memory.queries);
  std::vector<std::vector<Beam>> beams(queries, std::vector<Beam>(1));  // the empty prefix, once
  Retriever::State state;
  Tensor tokens;
  for (int64_t level = 0; level < model.positions(); ++level) {
    Tensor offsets(Shape{int64_t(queries) + 1}, DType::i32);
    offsets.data<int32_t>()[0] = 0;
    for (size_t q = 0; q < queries; ++q) {
      offsets.data<int32_t>()[q + 1] = offsets.data<int32_t>()[q] + int32_t(beams[q].size());
    }
    if (offsets.data<int32_t>()[queries] == 0) break;  // no prefix has a probability above 0
    const Variable log_p = autograd::log_softmax(model.step(memory, tokens, offsets, state));
    std::vector<int32_t> parents, chosen;
    for (size_t q = 0; q < queries; ++q) {
      const int32_t first = offsets.data<int32_t>()[q];
      std::vector<Candidate> candidates;
      tensor::dispatch(tensor::floating, log_p.value(), [&](auto, auto type) {
        using T = decltype(type);
        candidates = extensions(std::span<const Beam>(beams[q]), log_p.data<T>() + first * log_p.cols(), log_p.cols(),
                                options.constrained ? &trie : nullptr, level);
      });
      std::vector<Beam> next = keep(candidates, beams[q], options.beam);
      for (size_t i = 0; i < next.size(); ++i) {
        parents.push_back(first + candidates[i].parent);
        chosen.push_back(candidates[i].token);
      }
      beams[q] = std::move(next);
    }
    tokens = Tensor::of<int32_t>(Shape{int64_t(chosen.size())}, std::span<const int32_t>(chosen));
    if (level + 1 < model.positions()) {
      model.reorder(state, Tensor::of<int32_t>(Shape{int64_t(parents.size())}, std::span<const int32_t>(parents)));
    }
  }
  std::vector<std::vector<Hypothesis>> results;
  for (size_t q = 0; q < queries; ++q) results.push_back(finish(beams[q], trie, options.constrained));
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
