#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "ace/search.h"
#include "ace/text.h"
#include "tools/exit.h"
#include "tools/print.h"
#include "tools/queries.h"
#include "tools/usage.h"
#include "tools/verbs.h"

namespace tools {
namespace {

struct Options {
  std::filesystem::path run;
  std::optional<std::string> query;
  std::optional<std::filesystem::path> queries;
  int64_t top = 10;
  std::optional<int64_t> beam;
};

void check_options(const Options& options) {
  if (options.top < 1 || options.top > 100000) fail_usage("--top: expected 1 to 100000, found {}", options.top);
  if (options.beam && (*options.beam < 1 || *options.beam > 100000)) {
    fail_usage("--beam: expected 1 to 100000, found {}", *options.beam);
  }
  if (options.beam && *options.beam < options.top) {
    fail_usage("--top: expected at most --beam = {}, found {}", *options.beam, options.top);
  }
  if (options.query.has_value() == options.queries.has_value()) {
    fail_usage("search: expected one of QUERY, --queries FILE, or - for standard input");
  }
}

/// A trained run, ready to answer; prints as text at once or gathers a JSON list.
class Answerer {
 public:
  Answerer(const Flags& flags, const Options& options, const ace::Run& run)
      : json_(flags.json),
        top_(options.top),
        run_(run),
        settings_(settings_for_run(flags, run, "search", false)),
        beam_(options.beam.value_or(std::max(settings_.search.beam, options.top))),
        searcher_(run, settings_) {}

  void answer(std::span<const std::string> queries, bool headings) {
    warn_of_cuts(queries);
    const auto results = searcher_.search(queries, top_, beam_);
    for (size_t i = 0; i < queries.size(); ++i) {
      if (json_) {
        document_.push_back(as_json(queries[i], results[i]));
      } else {
        print(queries[i], results[i], headings);
      }
    }
  }

  void finish() const {
    if (json_) print_json(document_);
  }

 private:
  using Results = std::vector<ace::Searcher::Result>;

  void warn_of_cuts(std::span<const std::string> queries) {
    for (const std::string& query : queries) {
      if (warned_) return;
      searcher_.encode(query, &warned_);
      if (warned_) {
        tell(fmt::format("ace: warning: {}: cut to the first {} pieces; so are other queries as long\n",
                         ace::quote(query), settings_.tokenizer.max_tokens - 1));
      }
    }
  }

  nlohmann::json as_json(const std::string& query, const Results& results) const {
    nlohmann::json list = nlohmann::json::array();
    for (const auto& result : results) {
      list.push_back({{"item", run_.items[size_t(result.item)].id},
                      {"rank", list.size() + 1},
                      {"score", result.score},
                      {"identifier", result.identifier}});
    }
    return {{"query", query}, {"results", std::move(list)}};
  }

  void print(const std::string& query, const Results& results, bool heading) const {
    if (heading) fmt::print("{}\n", ace::escape(query));
    std::vector<std::vector<std::string>> rows = {{"rank", "score", "item", "identifier", "title"}};
    for (const auto& result : results) {
      const ace::Item& item = run_.items[size_t(result.item)];
      rows.push_back({std::to_string(rows.size()), fmt::format("{:.3f}", result.score), ace::escape(item.id),
                      fmt::format("({})", fmt::join(result.identifier, " ")),
                      ace::escape(item.title.empty() ? item.path : item.title)});
    }
    print_table(rows);
  }

  bool json_, warned_ = false;
  int64_t top_;
  const ace::Run& run_;
  ace::Settings settings_;
  int64_t beam_;
  ace::Searcher searcher_;
  nlohmann::json document_ = nlohmann::json::array();
};

/// Answers line by line as they come. A bad line is reported and passed over; the exit code tells of it.
int answer_standard_input(Answerer& answerer) {
  const bool prompt = isatty(STDIN_FILENO) && isatty(STDERR_FILENO);
  int code = 0;
  std::string line;
  for (int64_t number = 1;; ++number) {
    if (prompt) tell("query> ");
    if (!std::getline(std::cin, line)) break;
    if (line.ends_with('\r')) line.pop_back();
    try {
      check_query(line, fmt::format("standard input:{}", number));
      answerer.answer(std::span(&line, 1), !prompt);
    } catch (const tensor::Error& error) {
      tell(fmt::format("ace: error: {}\n", error.what()));
      code = prompt ? 0 : 1;
    }
    if (std::fflush(stdout) != 0) return code;  // the program's end tells of it
  }
  tensor::check(!std::ferror(stdin), "standard input: cannot read: {}", std::strerror(errno));
  return code;
}

int search(const Flags& flags, const Options& options) {
  check_options(options);
  std::vector<std::string> queries;
  if (options.queries) queries = read_queries(*options.queries);
  if (options.query && *options.query != "-") {
    check_query(*options.query, "query");
    queries = {*options.query};
  }
  const ace::Run run = ace::Run::open(options.run);
  Answerer answerer(flags, options, run);
  const int code = queries.empty() ? answer_standard_input(answerer) : 0;
  if (!queries.empty()) answerer.answer(queries, queries.size() > 1);
  answerer.finish();
  return code;
}

}  // namespace

void add_search(const CommandLine& program, const Flags& flags) {
  const auto options = std::make_shared<Options>();
  const CommandLine verb =
      add_verb(program, "search", "items for a query", "search", [&flags, options] { return search(flags, *options); });
  verb.word("RUN", options->run, "trained run folder");
  verb.word("QUERY", options->query, "a query, or - for one a line of standard input");
  verb.option("--queries", "FILE", options->queries, "one query a line, or objects with \"text\" in FILE.jsonl");
  verb.option("--top", "N", options->top, "results a query; default 10");
  verb.option("--beam", "N", options->beam, "beam size; default search.beam, at least --top");
}

}  // namespace tools
