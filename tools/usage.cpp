#include "tools/usage.h"

#include "ace/nearest.h"
#include "ace/text.h"

namespace tools {
namespace {

std::vector<std::string> verbs_of(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* verb : app.get_subcommands([](const CLI::App*) { return true; }))
    names.push_back(verb->get_name());
  return names;
}

std::vector<std::string> options_of(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  }
  return names;
}

std::string nearest_of(const std::string& word, const std::vector<std::string>& names) {
  const std::vector<std::string_view> candidates(names.begin(), names.end());
  return std::string(ace::nearest(word, candidates));
}

/// The verb that was parsed, or null.
const CLI::App* parsed_verb(const CLI::App& app) {
  const auto verbs = app.get_subcommands();
  return verbs.empty() ? nullptr : verbs.front();
}

/// A word that nothing took: an unknown option, verb, or a word too many.
std::string unexpected(const CLI::App& app, const std::string& word) {
  const CLI::App* verb = parsed_verb(app);
  if (word.size() > 1 && word[0] == '-') {
    std::vector<std::string> options = options_of(app);
    if (verb) {
      const std::vector<std::string> own = options_of(*verb);
      options.insert(options.begin(), own.begin(), own.end());
    }
    const std::string name = word.substr(0, word.find('='));
    return fmt::format("unknown option {}; did you mean \"{}\"?", ace::quote(name), nearest_of(name, options));
  }
  if (verb)
    return fmt::format("{}: one word too many: {}; see {} {} --help", verb->get_name(), ace::quote(word),
                       app.get_name(), verb->get_name());
  return fmt::format("unknown verb {}; did you mean \"{}\"?", ace::quote(word), nearest_of(word, verbs_of(app)));
}

}  // namespace

void expect_integers(CLI::App& app) {
  for (CLI::Option* option : app.get_options()) {
    if (option->get_type_name() != "N") continue;
    option->transform([name = option->get_name()](const std::string& word) {
      int64_t value = 0;
      if (!ace::parse_number(word, value)) fail_usage("{}: expected an integer, found {}", name, ace::quote(word));
      return std::to_string(value);
    });
  }
  for (CLI::App* verb : app.get_subcommands([](CLI::App*) { return true; })) expect_integers(*verb);
}

std::string usage_message(const CLI::App& app, const CLI::ParseError& error) {
  const std::vector<std::string> left = app.remaining(true);
  for (const std::string& word : left) {
    if (word != "--" && dynamic_cast<const CLI::ConversionError*>(&error) == nullptr) return unexpected(app, word);
  }
  const CLI::App* verb = parsed_verb(app);
  if (!verb && dynamic_cast<const CLI::RequiredError*>(&error)) {
    return fmt::format("expected a verb: {}", fmt::join(verbs_of(app), ", "));
  }
  const std::string where = verb ? verb->get_name() + ": " : "";
  return where + ace::escape(error.what());
}

}  // namespace tools
