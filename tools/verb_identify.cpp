#include <memory>

#include "ace/identify.h"
#include "tensor/file.h"
#include "tensor/json.h"
#include "tools/print.h"
#include "tools/progress.h"
#include "tools/signals.h"
#include "tools/usage.h"
#include "tools/verbs.h"

namespace tools {

namespace {

struct Options {
  std::filesystem::path corpus, run;
};

int identify(const Flags& flags, const Options& options) {
  tensor::check_new(options.run);
  ace::Corpus corpus = ace::load_corpus(options.corpus);
  const std::string origin = (options.corpus / "settings.toml").string();
  const ace::Settings settings = settings_for_corpus(flags, corpus.settings, origin);
  catch_signals();
  const ace::Run run = ace::identify(std::move(corpus), settings, options.run, make_stopping_progress(flags.quiet));
  const nlohmann::json quality = tensor::parse_json(run.quality_json, "identifiers.json");
  if (flags.json) {
    print_json(quality);
  } else {
    print_quality(quality);
  }
  return 0;
}

}  // namespace

void add_identify(const CommandLine& program, const Flags& flags) {
  const auto options = std::make_shared<Options>();
  const CommandLine verb = add_verb(program, "identify", "items to identifiers, with a quality report", "",
                                    [&flags, options] { return identify(flags, *options); });
  verb.word("CORPUS", options->corpus, "corpus folder");
  verb.word("RUN", options->run, "run folder to make");
}

}  // namespace tools
