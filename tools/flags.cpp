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

std::string help_row(const std::string& name, const std::string& text) {
  return fmt::format("  {:<34} {}\n", name, text);
}

}  // namespace

void add_flags(CLI::App& app, Flags& flags) {
  app.add_flag("--json", flags.json, "one JSON document on standard output, nothing else");
  app.add_option("--set", flags.assignments, "change a setting; may be repeated")
      ->type_name("NAME=VALUE")
      ->allow_extra_args(false)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  app.add_option("--config", flags.config, "settings from a TOML file")->type_name("FILE.toml");
  app.add_option("--device", flags.device, "cpu or cuda; default cpu")->type_name("DEVICE");
  app.add_option("--threads", flags.threads, "number of threads; default 0: all that may be used")->type_name("N");
  app.add_option("--seed", flags.seed, "short for --set seed=N")->type_name("N");
  app.add_option("--precision", flags.precision,
                 "short for --set rqvae.precision=, train.precision= or search.precision=, by the verb")
      ->type_name("f32|bf16|f16|int8");
  app.add_flag("--quiet", flags.quiet, "no progress");
}

std::string flags_help(const CLI::App& app) {
  std::string text = "Everywhere:\n";
  for (const CLI::Option* option : app.get_options()) {
    if (option == app.get_help_ptr()) continue;  // the verb lists its own
    const bool takes_value = option->get_type_size() > 0 && option->get_expected_max() > 0;
    const std::string value = takes_value ? " " + option->get_type_name() : "";
    text += help_row("--" + option->get_lnames().front() + value, option->get_description());
  }
  return text;
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
