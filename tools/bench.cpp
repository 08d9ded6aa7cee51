/// The program `bench`: how fast the parts and the whole are on this machine, beside what the machine can do. Exit
/// codes as those of `ace`.
#include "tools/bench.h"

#include "ace/text.h"
#include "tools/exit.h"
#include "tools/usage.h"

namespace tools::bench {

void add_flags(CLI::App& app, Flags& flags) {
  app.add_flag("--json", flags.machine.json, "one JSON document on standard output, nothing else");
  app.add_option("--repetitions", flags.repetitions, "timed repetitions, of which the median counts; default 3")
      ->type_name("N");
  app.add_option("--precision", flags.machine.precision,
                 "what products round their factors to, on cuda activations too; default f32; int8: search and "
                 "kernels, on the CPU alone; f16: cuda alone")
      ->type_name("f32|bf16|f16|int8");
  app.add_option("--device", flags.machine.device, "cpu or cuda; default cpu")->type_name("DEVICE");
  app.add_option("--threads", flags.machine.threads, "number of threads; default 0: all that may be used")
      ->type_name("N");
  app.add_option("--seed", flags.machine.seed, "of all that is drawn; default 1")->type_name("N");
  app.add_flag("--quiet", flags.machine.quiet, "no progress");
}

void apply_flags(const Flags& flags) {
  check_range("--repetitions", {flags.repetitions}, 1, 1000);
  check_range("--seed", {int64_t(flags.seed())}, 0, int64_t(1) << 53);
  const std::string name = flags.precision_name();
  const bool cuda = flags.machine.device == "cuda";
  if (name != "f32" && name != "bf16" && name != (cuda ? "f16" : "int8")) {
    fail_usage("--precision: expected f32, bf16 or {}, found {}", cuda ? "f16" : "int8", ace::quote(name));
  }
  apply_machine_flags(flags.machine);
}

void check_on_cpu(const Flags& flags, const char* what) {
  if (flags.machine.on() != tensor::Device::cpu)
    fail_usage("--device cuda: for kernels, train and search, not {}", what);
}

void check_f32(const Flags& flags, const char* what) {
  if (flags.precision_name() != "f32")
    fail_usage("--precision: expected f32 with {}, found {}", what, ace::quote(flags.precision_name()));
}

void check_range(const char* option, const std::vector<int64_t>& values, int64_t low, int64_t high) {
  for (const int64_t value : values) {
    if (value < low || value > high) fail_usage("{}: expected {} to {}, found {}", option, low, high, value);
  }
}

namespace {

int run(int count, char** words) {
  CLI::App app("How fast the parts and the whole are on this machine, beside what the machine can do.", "bench");
  Flags flags;
  Action action;
  app.set_help_flag("-h,--help", "this text");
  app.set_version_flag("--version", "bench " ACE_VERSION, "the version");
  add_flags(app, flags);
  for (const auto add : {add_kernels, add_train, add_search, add_kmeans, add_trie}) add(app, flags, action);
  app.require_subcommand(1);
  return run_parsed(app, count, words, [&] {
    apply_flags(flags);
    return action();
  });
}

}  // namespace
}  // namespace tools::bench

int main(int count, char** words) {
  return tools::exit_code("bench", [=] { return tools::bench::run(count, words); });
}
