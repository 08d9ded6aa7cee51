/// The program `ace`: parses, calls a stage of ace/, prints. Exit codes: 0; 1 with one line on standard error; 2 for
/// wrong usage; 128 + signal when one stopped it in good order.
#include "tools/exit.h"
#include "tools/verbs.h"

namespace {

int run(int count, char** words) {
  const tools::CommandLine program(
      "ace", "Generative cross-modal retrieval: items become short identifiers, queries are decoded into them.");
  tools::Flags flags;
  tools::add_flags(program, flags);
  for (const auto add : {tools::add_sample, tools::add_import, tools::add_identify, tools::add_train,
                         tools::add_evaluate, tools::add_search, tools::add_inspect}) {
    add(program, flags);
  }
  program.footer([] { return tools::settings_help(""); });
  return program.run(count, words, [&] {
    tools::apply_machine_flags(flags);
    tools::require_device(flags);
  });
}

}  // namespace

int main(int count, char** words) {
  return tools::exit_code("ace", [=] { return run(count, words); });
}
