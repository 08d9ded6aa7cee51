#include <memory>
#include <nlohmann/json.hpp>

#include "ace/stop.h"
#include "ace/text.h"
#include "ace/train.h"
#include "tools/exit.h"
#include "tools/print.h"
#include "tools/progress.h"
#include "tools/signals.h"
#include "tools/usage.h"
#include "tools/verbs.h"

namespace tools {
namespace {

struct Options : ace::TrainOptions {
  std::filesystem::path run;
};

/// A word as a shell takes it for one.
std::string shell_word(const std::string& word) {
  constexpr std::string_view plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./-+,:@%";
  if (!word.empty() && word.find_first_not_of(plain) == word.npos) return word;
  std::string quoted = "'";
  for (const char c : word) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

int train(const Flags& flags, const Options& options) {
  ace::Run run = ace::Run::open_to_train(options.run);
  const ace::Settings settings = settings_for_run(flags, run, "train", !options.resume);
  catch_signals();
  const nlohmann::json report = ace::train(run, settings, options, make_progress(flags.quiet));
  const int stopped = ace::stop_signal();
  if (report["dev_queries"] == 0 && !flags.quiet) tell("ace: note: no dev queries: the last weights are kept\n");
  if (flags.json) {
    print_json(report);
  } else {
    print_scalars(report);
    if (stopped)
      fmt::print("stopped; go on with: ace train {} --resume\n", ace::escape(shell_word(options.run.string())));
  }
  return stopped ? 128 + stopped : 0;
}

}  // namespace

void add_train(const CommandLine& program, const Flags& flags) {
  const auto options = std::make_shared<Options>();
  const CommandLine verb = add_verb(program, "train", "the retriever, on the run's corpus", "train",
                                    [&flags, options] { return train(flags, *options); });
  verb.word("RUN", options->run, "run folder, as identify made it");
  verb.flag("--resume", options->resume, "go on from the run's checkpoint, with its settings");
  verb.option("--corpus", "CORPUS", options->corpus, "the corpus, where it is no longer at its recorded place");
}

}  // namespace tools
