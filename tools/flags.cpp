#include "tools/flags.h"

#include "ace/nearest.h"
#include "ace/text.h"
#include "kernels/backend.h"
#include "tensor/transfer.h"
#include "tools/usage.h"

namespace tools {
namespace {

/// Runs something that the words of the command line alone decide: its errors are wrong usage.
template <class Call>
void as_usage(Call call) {
  try {
    call();
  } catch (const tensor::Error& error) {
    throw UsageError(error.what());
  }
}

void apply_command_line(const Flags& flags, std::string_view stage, ace::Settings& settings) {
  if (flags.config) ace::load_settings(settings, *flags.config);
  as_usage([&] {
    for (const std::string& assignment : flags.assignments) ace::set(settings, assignment);
    if (flags.seed) ace::set(settings, fmt::format("seed={}", *flags.seed));
    if (flags.precision) ace::set(settings, fmt::format("{}.precision={}", stage, *flags.precision));
    try {
      ace::check_settings(settings);
    } catch (const tensor::Error& error) {
      tensor::fail("{}{}", error.what(), flags.config ? fmt::format(" (with {})", tensor::name_of(*flags.config)) : "");
    }
  });
}

}  // namespace

void add_flags(const CommandLine& program, Flags& flags) {
  program.flag("--json", flags.json, "one JSON document on standard output, nothing else");
  program.option("--set", "NAME=VALUE", flags.assignments, "change a setting; may be repeated");
  program.option("--config", "FILE.toml", flags.config, "settings from a TOML file");
  program.option("--device", "DEVICE", flags.device, "cpu or cuda; default cpu");
  program.option("--threads", "N", flags.threads, "number of threads; default 0: all that may be used");
  program.option("--seed", "N", flags.seed, "short for --set seed=N");
  program.option("--precision", "f32|bf16|f16|int8", flags.precision,
                 "short for --set rqvae.precision=, train.precision= or search.precision=, by the verb");
  program.flag("--quiet", flags.quiet, "no progress");
}

std::string settings_help(std::string_view stage) {
  std::string text = "Settings (--set, --config), with their defaults:\n";
  const ace::Settings defaults;
  for (const ace::Setting& setting : ace::settings_table()) {
    if (!stage.empty() && setting.stage != stage && setting.stage != "all") continue;
    text += help_row(fmt::format("{} = {}", setting.name, ace::value_text(defaults, setting)),
                     fmt::format("{} ({})", setting.help, ace::range_text(setting)));
  }
  return text;
}

void apply_machine_flags(const Flags& flags) {
  if (flags.device != "cpu" && flags.device != "cuda") {
    constexpr std::string_view devices[] = {"cpu", "cuda"};
    fail_usage("--device: expected cpu or cuda, found {}; did you mean \"{}\"?", ace::quote(flags.device),
               ace::nearest(flags.device, devices));
  }
  if (flags.threads < 0 || flags.threads > 256) fail_usage("--threads: expected 0 to 256, found {}", flags.threads);
  kernels::set_threads(int(flags.threads));
}

void require_device(const Flags& flags) {
  const char* const missing = tensor::missing(flags.on());
  tensor::check(missing == nullptr, "--device {}: {}; leave --device at cpu", flags.device, missing ? missing : "");
}

ace::Settings settings_for_corpus(const Flags& flags, const std::string& corpus_settings, const std::string& origin) {
  ace::Settings settings;
  ace::parse_settings(settings, corpus_settings, origin);
  apply_command_line(flags, "rqvae", settings);
  settings.device = flags.on();
  return settings;
}

ace::Settings settings_for_run(const Flags& flags, const ace::Run& run, std::string_view stage, bool may_train) {
  ace::Settings settings = run.settings;
  apply_command_line(flags, stage, settings);
  settings.device = flags.on();
  for (const ace::Setting& setting : ace::settings_table()) {
    const bool fixed = setting.stage == "identify" || (setting.stage == "train" && !may_train);
    const std::string before = ace::value_text(run.settings, setting), now = ace::value_text(settings, setting);
    if (fixed && before != now) {
      fail_usage("{}: the run was made with {}, found {}; only ace {} can change it", setting.name, before, now,
                 setting.stage);
    }
  }
  return settings;
}

}  // namespace tools
