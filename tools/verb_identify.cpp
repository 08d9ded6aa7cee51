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

void add_identify(CLI::App& app, const Flags& flags, Action& action) {
  CLI::App& verb = add_verb(app, "identify", "items to identifiers, with a quality report", "");
  const auto options = std::make_shared<Options>();
  verb.add_option("CORPUS", options->corpus, "corpus folder")->required()->type_name("");
  verb.add_option("RUN", options->run, "run folder to make")->required()->type_name("");
  verb.callback([&flags, &action, options] { action = [&flags, options] { return identify(flags, *options); }; });
}

}  // namespace tools
