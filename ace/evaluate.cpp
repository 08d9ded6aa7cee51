#include "ace/evaluate.h"

#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <chrono>
#include <numeric>

#include "ace/bm25.h"
#include "ace/judged.h"
#include "ace/measures.h"
#include "ace/search.h"
#include "ace/text.h"
#include "ace/train.h"
#include "ace/trec.h"
#include "tensor/file.h"

namespace ace {

using nlohmann::json;
using tensor::check;

namespace {

/// A split's queries with all that is relevant to each.
struct Task {
  std::vector<const Query*> queries;
  std::vector<std::vector<int32_t>> relevant;
};

Task task_of(const Corpus& corpus, Split split) {
  Judged judged = judged_queries(corpus, split);
  Task task{{}, std::move(judged.relevant)};
  for (const int32_t query : judged.queries) task.queries.push_back(&corpus.queries[size_t(query)]);
  check(!task.queries.empty(), "{}: qrels/{}.tsv judges no query, so there is nothing to evaluate",
        corpus.folder.string(), split_names[size_t(split)]);
  return task;
}

/// Whether all that is relevant is in a pool (ascending): a ranking of the pool cannot find anything else.
bool answered_by(const std::vector<int32_t>& pool, const Task& task) {
  return std::ranges::all_of(task.relevant, [&](const std::vector<int32_t>& items) {
    return std::ranges::all_of(items, [&](int32_t item) { return std::ranges::binary_search(pool, item); });
  });
}

using Ranked = std::vector<std::vector<Hypothesis>>;

Measures measures_of(const Task& task, const std::vector<std::vector<int32_t>>& ranked) {
  std::vector<int64_t> ranks;
  for (size_t q = 0; q < ranked.size(); ++q) ranks.push_back(first_relevant(ranked[q], task.relevant[q]));
  return measure(ranks);
}

std::vector<std::vector<int32_t>> items_of(const Ranked& ranked) {
  std::vector<std::vector<int32_t>> items;
  for (const auto& list : ranked) {
    items.emplace_back();
    for (const Hypothesis& hypothesis : list) items.back().push_back(hypothesis.item);
  }
  return items;
}

json as_json(const Measures& m) {
  return {{"recall@1", m.recall_1},
          {"recall@5", m.recall_5},
          {"recall@10", m.recall_10},
          {"mrr@10", m.mrr_10},
          {"queries", m.queries}};
}

/// The retriever's own rows, one for each way to search.
class Evaluator {
 public:
  Evaluator(const Run& run, const Settings& settings, const Task& task, const Progress& progress)
      : settings_(settings), task_(task), progress_(progress), searcher_(run, settings) {
    for (const Query* query : task.queries) {
      bool cut = false;
      tokens_.push_back(searcher_.encode(query->text, &cut));
      cut_queries_ += cut;
    }
  }

  /// With three beams, R@1 comes from the first, R@5 from the second, R@10 and MRR@10 from the third.
  json row(const Trie& trie, const std::string& pool, const std::vector<int64_t>& beams, bool constrained,
           Ranked* ranked) {
    const std::string method = constrained ? "ace" : "ace, unconstrained";
    const BeamSearch search(searcher_.model(), trie);
    Measures total;
    double seconds = 0;
    for (size_t i = 0; i < beams.size(); ++i) {
      const auto begin = std::chrono::steady_clock::now();
      Ranked found = search_all(search, tokens_, {beams[i], constrained}, settings_.search.batch, progress_,
                                method + " in " + pool);
      seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
      const Measures m = measures_of(task_, items_of(found));
      if (i == 0) total.recall_1 = m.recall_1;
      if (i <= 1) total.recall_5 = m.recall_5;
      total.recall_10 = m.recall_10, total.mrr_10 = m.mrr_10, total.queries = m.queries;
      if (ranked) *ranked = std::move(found);
    }
    json result = as_json(total);
    result.update({{"method", method}, {"pool", pool}});
    result["beam"] = beams.size() == 1 ? json(beams[0]) : json(beams);
    result["queries_per_second"] = double(tokens_.size() * beams.size()) / std::max(seconds, 1e-9);
    return result;
  }
  const Trie& whole() const { return searcher_.trie(); }
  int64_t cut_queries() const { return cut_queries_; }

 private:
  const Settings& settings_;
  const Task& task_;
  const Progress& progress_;
  Searcher searcher_;
  std::vector<std::vector<int32_t>> tokens_;
  int64_t cut_queries_ = 0;
};

json bm25_row(const Bm25& bm25, const Task& task, const std::string& pool, std::span<const int32_t> items) {
  std::vector<std::vector<int32_t>> ranked;
  for (const Query* query : task.queries) ranked.push_back(bm25.rank(query->text, 10, items));
  json row = as_json(measures_of(task, ranked));
  row.update({{"method", "bm25 over training queries"}, {"pool", pool}});
  return row;
}

void write_trec(const std::filesystem::path& file, const Run& run, const Task& task, const Ranked& ranked) {
  std::string text;
  for (size_t q = 0; q < ranked.size(); ++q) {
    std::vector<std::string> names;  // an identifier that no item has keeps its rank, under a name of its own
    for (const Hypothesis& h : ranked[q]) {
      names.push_back(h.item >= 0 ? run.items[size_t(h.item)].id : fmt::format("no-item-{}", fmt::join(h.tokens, "-")));
    }
    std::vector<TrecResult> results;
    for (size_t i = 0; i < names.size(); ++i) results.push_back({names[i], ranked[q][i].score});
    text += trec_lines(task.queries[q]->id, results);
  }
  tensor::write_new_file(file, text);
}

}  // namespace

json evaluate(const Run& run, const Settings& settings, const EvaluateOptions& options, const Progress& progress) {
  std::vector<int64_t> beams = options.beams.empty() ? std::vector{settings.search.beam} : options.beams;
  check(beams.size() == 1 || beams.size() == 3, "evaluate: expected one beam or three (for R@1, R@5, R@10), found {}",
        beams.size());
  check(options.pool == "all" || options.pool == "test", "evaluate: expected pool \"all\" or \"test\", found {}",
        quote(options.pool));
  const Corpus corpus = load_run_corpus(run, options.corpus);
  const Task task = task_of(corpus, options.split);
  std::vector<int32_t> everything(corpus.items.size());
  std::iota(everything.begin(), everything.end(), 0);
  const std::vector<int32_t> tested = test_pool(corpus);
  const bool answered = answered_by(tested, task);
  check(options.pool == "all" || !tested.empty(), "{}: no item belongs to the test pool", corpus.folder.string());
  check(options.pool == "all" || answered, "{}: pool test: some items that qrels/{}.tsv judges are not in it",
        corpus.folder.string(), split_names[size_t(options.split)]);
  const bool two_pools = answered && tested.size() < everything.size();

  Evaluator evaluator(run, settings, task, progress);
  const Bm25 bm25{training_texts(corpus)};
  json top, rows = json::array(), plain = json::array();
  for (const std::string pool : {"all", "test"}) {
    if (pool == "test" && !two_pools && options.pool != "test") continue;
    const std::vector<int32_t>& items = pool == "all" ? everything : tested;
    const Trie trie = pool == "all" ? evaluator.whole() : Trie(run.identifiers, items);
    for (const bool constrained : {true, false}) {
      if (!constrained && pool == "test") continue;  // the unconstrained know no pool
      const bool asked = constrained != options.unconstrained && (pool == options.pool || !constrained);
      Ranked ranked;
      rows.push_back(evaluator.row(trie, pool, beams, constrained, &ranked));
      if (!asked) continue;
      top = rows.back();
      if (options.trec) write_trec(*options.trec, run, task, ranked);
    }
    plain.push_back(bm25_row(bm25, task, pool, items));
    json random = as_json(chance(int64_t(items.size()), int64_t(task.queries.size())));
    random.update({{"method", "chance"}, {"pool", pool}});
    plain.push_back(random);
  }
  rows.insert(rows.end(), plain.begin(), plain.end());
  top["rows"] = rows;
  top["split"] = split_names[size_t(options.split)];
  top["cut_queries"] = evaluator.cut_queries();
  return top;
}

}  // namespace ace
