#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>

#include "ace/evaluate.h"
#include "ace/nearest.h"
#include "ace/text.h"
#include "tensor/file.h"
#include "tools/exit.h"
#include "tools/print.h"
#include "tools/progress.h"
#include "tools/signals.h"
#include "tools/usage.h"
#include "tools/verbs.h"

namespace tools {
namespace {

struct Options : ace::EvaluateOptions {
  std::filesystem::path run;
  std::string split_name = "test";
  std::optional<std::string> beam_list;
};

void check_beams(const std::string& text, std::vector<int64_t>& beams) {
  const auto fits = [](int64_t beam) { return beam >= 1 && beam <= 100000; };
  if (!ace::parse_list(text, beams) || beams.empty() || !std::ranges::all_of(beams, fits)) {
    fail_usage("--beam: expected 1 to 100000, or three like 5,25,50, found {}", ace::quote(text));
  }
  if (beams.size() != 1 && beams.size() != 3) fail_usage("--beam: expected one or three, found {}", ace::quote(text));
}

void check_options(Options& options) {
  const auto split = std::find(ace::split_names.begin(), ace::split_names.end(), options.split_name);
  if (split == ace::split_names.end()) {
    fail_usage("--split: expected train, dev or test, found {}", ace::quote(options.split_name));
  }
  options.split = ace::Split(split - ace::split_names.begin());
  if (options.pool != "all" && options.pool != "test") {
    fail_usage("--pool: expected all or test, found {}", ace::quote(options.pool));
  }
  if (options.pool == "test" && options.unconstrained) {
    fail_usage("--unconstrained: expected --pool all with it, since such a search knows no pool; found --pool test");
  }
  if (options.beam_list) check_beams(*options.beam_list, options.beams);
}

/// Measures as a table: one row for each way of ranking and each pool.
void print_measures(const nlohmann::json& report) {
  std::vector<std::vector<std::string>> rows = {{"ranking", "pool", "beam", "R@1", "R@5", "R@10", "MRR@10"}};
  const auto add = [&](const nlohmann::json& row) {
    std::vector<std::string> cells;
    for (const char* name : {"method", "pool", "beam"})
      cells.push_back(row.contains(name) ? short_text(row[name]) : "");
    for (const char* name : {"recall@1", "recall@5", "recall@10", "mrr@10"})
      cells.push_back(percent(row.value(name, 0.0)));
    rows.push_back(std::move(cells));
  };
  for (const auto& row : report["rows"]) add(row);
  print_table(rows);
  fmt::print("{} queries, {} a second\n", short_text(report.value("queries", nlohmann::json())),
             short_text(report.value("queries_per_second", nlohmann::json())));
}

int evaluate(const Flags& flags, Options& options) {
  check_options(options);
  if (options.trec) tensor::check_new(*options.trec);
  const ace::Run run = ace::Run::open(options.run);
  const ace::Settings settings = settings_for_run(flags, run, "search", false);
  catch_signals();
  const nlohmann::json report = ace::evaluate(run, settings, options, make_stopping_progress(flags.quiet));
  if (const int64_t cut = report["cut_queries"]) {
    tell(fmt::format("ace: warning: of {} queries {} cut to the first {} pieces\n", report["queries"].dump(),
                     cut == 1 ? "one was" : fmt::format("{} were", cut), settings.tokenizer.max_tokens - 1));
  }
  if (flags.json) {
    print_json(report);
  } else {
    print_measures(report);
  }
  return 0;
}

}  // namespace

void add_evaluate(const CommandLine& program, const Flags& flags) {
  const auto options = std::make_shared<Options>();
  const CommandLine verb = add_verb(program, "evaluate", "recall and MRR on a split's queries", "search",
                                    [&flags, options] { return evaluate(flags, *options); });
  verb.word("RUN", options->run, "trained run folder");
  verb.option("--split", "NAME", options->split_name, "train, dev or test; default test");
  verb.option("--pool", "NAME", options->pool, "rank all items or those of the test pool; default all");
  verb.option("--beam", "N[,N,N]", options->beam_list,
              "beam size, or three: for R@1, for R@5, for R@10 and MRR@10; default search.beam");
  verb.flag("--unconstrained", options->unconstrained,
            "report (--json, --trec) beam search without the tree of identifiers");
  verb.option("--trec", "FILE", options->trec, "write the results as a TREC run file, which must not exist");
  verb.option("--corpus", "CORPUS", options->corpus, "the corpus, where it is no longer at its recorded place");
}

}  // namespace tools
