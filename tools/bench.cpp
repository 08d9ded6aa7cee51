/// The program `bench`: how fast the parts and the whole are on this machine, beside what the machine can do. Exit
/// codes as those of `ace`.
#include "tools/bench.h"

#include "ace/text.h"
#include "tools/exit.h"
#include "tools/usage.h"

namespace tools::bench {

void add_flags(const CommandLine& program, Flags& flags) {
  program.flag("--json", flags.machine.json, "one JSON document on standard output, nothing else");
  program.option("--repetitions", "N", flags.repetitions, "timed repetitions, of which the median counts; default 3");
  program.option("--precision", "f32|bf16|f16|int8", flags.machine.precision,
                 "what linear layers round their factors to, on cuda activations too; default f32; int8: search and "
                 "kernels, on the CPU alone; f16: cuda alone");
  program.option("--device", "DEVICE", flags.machine.device, "cpu or cuda; default cpu");
  program.option("--threads", "N", flags.machine.threads, "number of threads; default 0: all that may be used");
  program.option("--seed", "N", flags.machine.seed, "of all that is drawn; default 1");
  program.flag("--quiet", flags.machine.quiet, "no progress");
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
  const CommandLine program("bench",
                            "How fast the parts and the whole are on this machine, beside what the machine can do.");
  Flags flags;
  add_flags(program, flags);
  for (const auto add : {add_kernels, add_train, add_search, add_kmeans, add_trie}) add(program, flags);
  return program.run(count, words, [&] { apply_flags(flags); });
}

}  // namespace
}  // namespace tools::bench

int main(int count, char** words) {
  return tools::exit_code("bench", [=] { return tools::bench::run(count, words); });
}
