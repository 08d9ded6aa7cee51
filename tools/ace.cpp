/// The program `ace`: parses, calls a stage of ace/, prints. Exit codes: 0; 1 with one line on standard error; 2 for
/// wrong usage; 130 or 143 when a signal stopped it after its checkpoint.
#include "tools/exit.h"
#include "tools/verbs.h"

namespace {

int run(int count, char** words) {
  CLI::App app("Generative cross-modal retrieval: items become short identifiers, queries are decoded into them.",
               "ace");
  tools::Flags flags;
  tools::Action action;
  app.set_help_flag("-h,--help", "this text");
  app.set_version_flag("--version", "ace " ACE_VERSION, "the version");
  tools::add_flags(app, flags);
  for (const auto add : {tools::add_sample, tools::add_import, tools::add_identify, tools::add_train,
                         tools::add_evaluate, tools::add_search, tools::add_inspect}) {
    add(app, flags, action);
  }
  app.footer([] { return tools::settings_help(""); });
  app.require_subcommand(1);
  return tools::run_parsed(app, count, words, [&] {
    tools::apply_machine_flags(flags);
    tools::require_device(flags);
    return action();
  });
}

}  // namespace

int main(int count, char** words) {
  return tools::exit_code("ace", [=] { return run(count, words); });
}
