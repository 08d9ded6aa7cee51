#include "ace/judged.h"

#include <unordered_map>

namespace ace {

Judged judged_queries(const Corpus& corpus, Split split) {
  Judged result;
  std::unordered_map<int32_t, size_t> place;
  for (const Judgement& judgement : corpus.judgements[size_t(split)]) {
    const auto [at, fresh] = place.try_emplace(judgement.query, result.queries.size());
    if (fresh) {
      result.queries.push_back(judgement.query);
      result.relevant.emplace_back();
    }
    result.relevant[at->second].push_back(judgement.item);
  }
  return result;
}

}  // namespace ace
