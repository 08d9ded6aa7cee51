#pragma once
#include <vector>

#include "ace/corpus.h"

namespace ace {

/// A split's judgements by query, in the order in which the queries first appear in its qrels.
struct Judged {
  std::vector<int32_t> queries;                ///< lines of queries.jsonl
  std::vector<std::vector<int32_t>> relevant;  ///< to each, lines of corpus.jsonl
};
Judged judged_queries(const Corpus& corpus, Split split);

}  // namespace ace
