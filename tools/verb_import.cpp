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

void add_import(CLI::App& app, const Flags& flags, Action& action) {
  CLI::App& verb = add_verb(app, "import", "a published data set and its embeddings as a corpus", "all");
  const auto options = std::make_shared<Options>();
  verb.add_option("DATASET", options->dataset, "clotho, audiocaps, flickr30k, flickr8k or beir")
      ->required()
      ->type_name("");
  verb.add_option("SOURCE", options->source, "folder of the published files")->required()->type_name("");
  verb.add_option("CORPUS", options->corpus, "folder to make")->required()->type_name("");
  verb.add_option("--embeddings", options->embeddings, "item embeddings, one a row: [N, D] float16, float32 or float64")
      ->required()
      ->type_name("E.npy");
  verb.add_option("--ids", options->ids, "item of each row; default: train, dev, test in order of first appearance")
      ->type_name("FILE");
  verb.add_option(
          "--protocol", options->protocol,
          "published: its own splits; 4+1: one caption of each dev and test item judges, the rest train; default "
          "published")
      ->type_name("NAME");
  verb.add_option("--queries", options->queries, "generated training queries to add: {\"item\", \"text\"} a line")
      ->type_name("FILE.jsonl");
  verb.callback([&flags, &action, options] { action = [&flags, options] { return import(flags, *options); }; });
}

}  // namespace tools
