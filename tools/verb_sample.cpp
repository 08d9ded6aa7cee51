#include <memory>

#include "ace/sample.h"
#include "tensor/file.h"
#include "tools/progress.h"
#include "tools/signals.h"
#include "tools/usage.h"
#include "tools/verbs.h"

namespace tools {
namespace {

struct Options {
  std::filesystem::path corpus;
  int64_t items = 1000;
};

int sample(const Flags& flags, const Options& options) {
  if (options.items < 100 || options.items > 1000000) {
    fail_usage("--items: expected 100 to 1000000, found {}", options.items);
  }
  const ace::Settings settings = settings_for_corpus(flags, "", "");
  tensor::check_new(options.corpus);
  const ace::Corpus corpus = ace::make_sample(options.items, uint64_t(settings.seed));
  catch_signals();  // before this there is nothing to clean up
  ace::write_corpus(options.corpus, corpus, make_stopping_progress(true));
  print_corpus(corpus, options.corpus, flags.json);
  return 0;
}

}  // namespace

void add_sample(const CommandLine& program, const Flags& flags) {
  const auto options = std::make_shared<Options>();
  const CommandLine verb = add_verb(program, "sample", "make the built-in corpus", "all",
                                    [&flags, options] { return sample(flags, *options); });
  verb.word("CORPUS", options->corpus, "folder to make");
  verb.option("--items", "N", options->items, "number of items, 100 to 1000000; default 1000");
}

}  // namespace tools
