#pragma once
#include <nlohmann/json_fwd.hpp>
#include <optional>

#include "ace/progress.h"
#include "ace/run.h"

namespace ace {

struct EvaluateOptions {
  Split split = Split::test;
  std::string pool = "all";    ///< all | test: which items can be found
  std::vector<int64_t> beams;  ///< one beam for all measures, or three: R@1, R@5, R@10 with MRR from one each
  bool unconstrained = false;  ///< the figures on top are those of unconstrained search
  std::optional<std::filesystem::path> trec;    ///< write the results on top as a TREC run file, a new one
  std::optional<std::filesystem::path> corpus;  ///< where the corpus is now, when not at its recorded place
};

/// Recall@{1, 5, 10} and MRR@10 of a trained run (paper section 4.3), as JSON: on top the figures asked for, in `rows`
/// all ways of ranking side by side: constrained and unconstrained beam search, BM25 over the training queries, chance;
/// each over the whole corpus and over the test pool, where that is smaller and holds all that is relevant to the
/// split's queries; to ask for it where it does not is an error, and so is a split without queries. `cut_queries`: how
/// many were longer than tokenizer.max_tokens.
nlohmann::json evaluate(const Run& run, const Settings& settings, const EvaluateOptions& options,
                        const Progress& progress);

}  // namespace ace
