#include "tools/verbs.h"

#include <array>
#include <nlohmann/json.hpp>

#include "ace/text.h"
#include "tools/print.h"

namespace tools {

CommandLine add_verb(const CommandLine& program, const char* name, const char* help, const char* stage,
                     const std::function<int()>& run) {
  return program.verb(name, help, run, [stage] { return settings_help(stage); });
}

void print_corpus(const ace::Corpus& corpus, const std::filesystem::path& folder, bool json) {
  std::array<size_t, 3> counts;
  for (size_t i = 0; i < 3; ++i) counts[i] = corpus.judgements[i].size();
  const auto& [train, dev, test] = counts;
  if (json) {
    print_json({{"corpus", folder.string()},
                {"items", corpus.items.size()},
                {"width", corpus.width()},
                {"queries", corpus.queries.size()},
                {"judgements", {{"train", train}, {"dev", dev}, {"test", test}}}});
    return;
  }
  fmt::print("{}: {} items of width {}, {} queries; judgements: {} train, {} dev, {} test\n",
             ace::escape(folder.string()), corpus.items.size(), corpus.width(), corpus.queries.size(), train, dev,
             test);
}

}  // namespace tools
