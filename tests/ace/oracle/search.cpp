#include <charconv>
#include <cmath>
#include <limits>

#include "ace/beam_search.h"
#include "checks.h"

namespace oracle {

namespace {

/// N of `<kind>N.scores`, or nothing.
std::optional<int64_t> width_of(const std::string& name, const std::string& kind) {
  int64_t width = 0;
  const char* end = name.data() + name.size();
  if (!name.starts_with(kind)) return {};
  const auto [rest, error] = std::from_chars(name.data() + kind.size(), end, width);
  if (error != std::errc() || std::string_view(rest, size_t(end - rest)) != ".scores") return {};
  return width;
}

/// One list of the reference: `<kind>N.{ids,scores,items}` [B, N, …].
struct Reference {
  Reference(const Check& check, const std::string& name, bool constrained)
      : ids(check.folder.values.at(name + ".ids").to(DType::i32)),
        scores(check.folder.values.at(name + ".scores").to(DType::f64)) {
    if (constrained) items = check.folder.values.at(name + ".items").to(DType::i32);
  }
  double score(int64_t q, int64_t rank) const { return scores.data<double>()[q * scores.size(1) + rank]; }
  /// Whether our hypothesis is the one at that rank.
  bool is(int64_t q, int64_t rank, const ace::Hypothesis& hypothesis) const {
    const int64_t at = q * scores.size(1) + rank, positions = ids.size(2);
    if (items.defined() && items.data<int32_t>()[at] != hypothesis.item) return false;
    return std::equal(hypothesis.tokens.begin(), hypothesis.tokens.end(), ids.data<int32_t>() + at * positions,
                      ids.data<int32_t>() + (at + 1) * positions);
  }
  Tensor ids, scores, items;
};

/// Rank by rank the same hypotheses; in f32 those whose scores in the reference are within `tie` may change places.
std::string difference(const Reference& theirs, const std::vector<std::vector<ace::Hypothesis>>& ours, double tie) {
  for (int64_t q = 0; q < int64_t(ours.size()); ++q) {
    const auto& list = ours[size_t(q)];
    for (int64_t rank = 0; rank < theirs.scores.size(1); ++rank) {
      const bool ends = std::isinf(theirs.score(q, rank));
      if (ends != (rank >= int64_t(list.size()))) return fmt::format("query {}: {} results", q, list.size());
      if (ends) break;
      bool found = theirs.is(q, rank, list[size_t(rank)]);
      for (int64_t other = 0; tie > 0 && !found && other < theirs.scores.size(1); ++other) {
        found =
            std::abs(theirs.score(q, other) - theirs.score(q, rank)) <= tie && theirs.is(q, other, list[size_t(rank)]);
      }
      if (!found) return fmt::format("query {} has another hypothesis at rank {}", q, rank);
    }
  }
  return "";
}

double largest_finite(const Tensor& x) {
  double result = 0;
  for (const double v : x.values<double>()) result = std::isfinite(v) ? std::max(result, std::abs(v)) : result;
  return result;
}

void check_beams(const Check& check, const std::string& name, const ace::Retriever& model, const ace::Trie& trie,
                 ace::BeamOptions options) {
  const auto found = ace::beam_search(model, nn::TextBatch::pack(check.folder.texts), trie, options);
  const Reference theirs(check, name, options.constrained);
  const double tie = check.type == DType::f64 ? 0 : check.limit().value * largest_finite(theirs.scores);
  const std::string other = difference(theirs, found, tie);
  check.result.require(name + ".ids", other.empty(), other);
  if (options.constrained) check.result.require(name + ".items", other.empty(), other);
  Tensor scores = tensor::full(theirs.scores.shape(), DType::f64, -std::numeric_limits<double>::infinity());
  for (size_t q = 0; q < found.size(); ++q) {
    for (size_t rank = 0; rank < found[q].size(); ++rank) {
      scores.data<double>()[int64_t(q) * options.beam + int64_t(rank)] = found[q][rank].score;
    }
  }
  check.result.compare(name + ".scores", scores, check.limit().value);
}

}  // namespace

void check_search(const Check& check) {
  const Folder& folder = check.folder;
  const ace::Retriever model = retriever(folder, check.type);
  const ace::Trie trie(ace::Identifiers{folder.all_identifiers, folder.options.identifiers});
  for (const auto& [name, value] : folder.values.tensors) {
    for (const auto& [kind, constrained] : {std::pair<std::string, bool>{"beam", true}, {"free", false}}) {
      const auto width = width_of(name, kind);
      if (width) check_beams(check, kind + std::to_string(*width), model, trie, {*width, constrained});
    }
  }
  check.result.compare("score_all",
                       ace::score_identifiers(model, nn::TextBatch::pack(folder.texts), folder.all_identifiers),
                       check.limit().value);
}

}  // namespace oracle
