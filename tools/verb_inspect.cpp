#include <memory>

#include "ace/text.h"
#include "tensor/json.h"
#include "tensor/safetensors.h"
#include "tools/print.h"
#include "tools/verbs.h"

namespace tools {
namespace {

nlohmann::json changed_settings(const ace::Run& run) {
  const ace::Settings defaults;
  nlohmann::json changed = nlohmann::json::object();
  for (const ace::Setting& setting : ace::settings_table()) {
    const std::string value = ace::value_text(run.settings, setting);
    if (value != ace::value_text(defaults, setting)) changed[std::string(setting.name)] = value;
  }
  return changed;
}

/// Numbers by module: a layer's (`encoder.layers.0`), else those of the first part of a tensor's name (`heads`).
nlohmann::json parameter_counts(const ace::Run& run) {
  nlohmann::json counts = nlohmann::json::object();
  if (!run.has("retriever.safetensors")) return counts;
  for (const auto& [name, values] : tensor::read_safetensors(run.path("retriever.safetensors")).tensors) {
    std::string module = name.substr(0, name.find('.'));
    const size_t layer = name.find(".layers.");
    if (layer != name.npos) module = name.substr(0, name.find('.', layer + 8));
    counts[module] = counts.value(module, int64_t(0)) + values.elements();
  }
  return counts;
}

nlohmann::json history(const ace::Run& run) {
  nlohmann::json records = nlohmann::json::array();
  if (!run.has("log.jsonl")) return records;
  const std::string log = run.text("log.jsonl"), origin = tensor::name_of(run.path("log.jsonl"));
  std::string_view rest = log;
  for (int64_t number = 1; !rest.empty(); ++number) {
    const size_t end = std::min(rest.find('\n'), rest.size());
    if (end > 0) records.push_back(tensor::parse_json(rest.substr(0, end), fmt::format("{}:{}", origin, number)));
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return records;
}

void print_report(const nlohmann::json& report) {
  fmt::print("{} items, identifiers of {} positions {}, corpus {}\n\n", report["items"].dump(),
             report["vocabulary"].size(), report["vocabulary"].dump(), short_text(report["corpus"]));
  fmt::print("Settings that differ from the defaults\n");
  for (const auto& [name, value] : report["settings"].items())
    fmt::print("  {} = {}\n", name, value.get<std::string>());
  if (report["settings"].empty()) fmt::print("  none\n");
  fmt::print("\nIdentifier quality\n");
  print_quality(report["quality"]);
  fmt::print("\nWeights\n");
  int64_t total = 0;
  for (const auto& [name, count] : report["parameters"].items()) {
    fmt::print("  {:<20} {:>12}\n", ace::escape(name), count.get<int64_t>());
    total += count.get<int64_t>();
  }
  fmt::print("{}", total ? fmt::format("  {:<20} {:>12}\n", "all", total) : "  not trained yet\n");
  fmt::print("\nHistory\n");
  for (const auto& record : report["history"]) fmt::print("  {}\n", scalars(record));
  if (report["history"].empty()) fmt::print("  not trained yet\n");
}

int inspect(const Flags& flags, const std::filesystem::path& folder) {
  const ace::Run run = ace::Run::open(folder);
  settings_for_run(flags, run, "search", false);  // refuses what means nothing; shown are those of the run
  const nlohmann::json report = {{"run", folder.string()},
                                 {"corpus", run.corpus_path},
                                 {"corpus_checksum", run.corpus_checksum},
                                 {"items", run.items.size()},
                                 {"vocabulary", run.identifiers.vocabulary},
                                 {"settings", changed_settings(run)},
                                 {"quality", tensor::parse_json(run.quality_json, "identifiers.json")},
                                 {"parameters", parameter_counts(run)},
                                 {"history", history(run)}};
  if (flags.json) {
    print_json(report);
  } else {
    print_report(report);
  }
  return 0;
}

}  // namespace

void add_inspect(const CommandLine& program, const Flags& flags) {
  const auto run = std::make_shared<std::filesystem::path>();
  const CommandLine verb = add_verb(program, "inspect", "settings, identifier quality, weights, history", "all",
                                    [&flags, run] { return inspect(flags, *run); });
  verb.word("RUN", *run, "run folder");
}

}  // namespace tools
