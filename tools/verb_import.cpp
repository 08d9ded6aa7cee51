#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "ace/import.h"
#include "ace/nearest.h"
#include "ace/text.h"
#include "tensor/file.h"
#include "tools/progress.h"
#include "tools/signals.h"
#include "tools/usage.h"
#include "tools/verbs.h"

namespace tools {
namespace {

struct Options : ace::ImportOptions {
  std::filesystem::path corpus;
};

/// Refuses a word that is none of the choices.
void check_choice(std::string_view what, const std::string& word, std::span<const std::string_view> choices) {
  if (std::find(choices.begin(), choices.end(), word) != choices.end()) return;
  fail_usage("{}: expected {}, found {}; did you mean \"{}\"?", what, fmt::join(choices, ", "), ace::quote(word),
             ace::nearest(word, choices));
}

int import(const Flags& flags, const Options& options) {
  constexpr std::string_view datasets[] = {"clotho", "audiocaps", "flickr30k", "flickr8k", "beir"};
  constexpr std::string_view protocols[] = {"published", "4+1"};
  check_choice("DATASET", options.dataset, datasets);
  check_choice("--protocol", options.protocol, protocols);
  settings_for_corpus(flags, "", "");  // refuses what means nothing; none shapes a corpus
  tensor::check_new(options.corpus);
  const ace::Corpus corpus = ace::import_corpus(options);
  catch_signals();  // before this there is nothing to clean up
  ace::write_corpus(options.corpus, corpus, make_stopping_progress(true));
  print_corpus(corpus, options.corpus, flags.json);
  return 0;
}

}  // namespace

void add_import(const CommandLine& program, const Flags& flags) {
  const auto options = std::make_shared<Options>();
  const CommandLine verb = add_verb(program, "import", "a published data set and its embeddings as a corpus", "all",
                                    [&flags, options] { return import(flags, *options); });
  verb.word("DATASET", options->dataset, "clotho, audiocaps, flickr30k, flickr8k or beir");
  verb.word("SOURCE", options->source, "folder of the published files");
  verb.word("CORPUS", options->corpus, "folder to make");
  verb.option("--embeddings", "E.npy", options->embeddings,
              "item embeddings, one a row: [N, D] float16, float32 or float64", true);
  verb.option("--ids", "FILE", options->ids,
              "item of each row; default: train, dev, test in order of first appearance");
  verb.option("--protocol", "NAME", options->protocol,
              "published: its own splits; 4+1: one caption of each dev and test item judges, the rest train; default "
              "published");
  verb.option("--queries", "FILE.jsonl", options->queries,
              "generated training queries to add: {\"item\", \"text\"} a line");
}

}  // namespace tools
