#include "ace/settings.h"

#include <gtest/gtest.h>

#include <limits>
#include <set>

#include "ace/nearest.h"
#include "tensor/file.h"

namespace ace {
namespace {

/// The message that a call fails with, or "" when it does not fail.
template <class Call>
std::string failure(Call call) {
  try {
    call();
  } catch (const tensor::Error& error) {
    return error.what();
  }
  return "";
}
std::string failure_of_set(std::string_view assignment) {
  Settings settings;
  return failure([&] { set(settings, assignment); });
}
std::string failure_of_toml(std::string_view toml) {
  Settings settings;
  return failure([&] { parse_settings(settings, toml, "my.toml"); });
}
void parse(Settings& settings, std::string_view toml) { parse_settings(settings, toml, "my.toml"); }

TEST(Settings, DefaultsAreWithinTheirRangesAndRules) {
  Settings settings;
  EXPECT_EQ(failure([&] { check_settings(settings); }), "");
  for (const Setting& setting : settings_table()) {
    const std::string assignment = std::string(setting.name) + "=" + value_text(settings, setting);
    EXPECT_EQ(failure_of_set(assignment), "") << assignment;
  }
}

TEST(Settings, EveryFieldIsInTheTableOnce) {
  Settings settings;
  std::set<std::string_view> names;
  std::set<const void*> fields;
  for (const Setting& setting : settings_table()) {
    names.insert(setting.name);
    std::visit([&](auto* field) { fields.insert(field); }, setting.field(settings));
    EXPECT_FALSE(setting.help.empty()) << setting.name;
  }
  EXPECT_EQ(names.size(), settings_table().size());
  EXPECT_EQ(fields.size(), settings_table().size());
}

TEST(Settings, AnAssignmentSetsEachType) {
  Settings s;
  set(s, "kmeans.clusters=64");
  set(s, " train.rate = 1e-4 ");
  set(s, "model.fusion=false");
  set(s, "model.gate=sigmoid");
  set(s, "model.cross_attention=\"shared\"");
  set(s, "rqvae.hidden=[96, 48]");
  set(s, "seed=+7");
  set(s, "train.omega=1");
  EXPECT_EQ(s.kmeans.clusters, 64);
  EXPECT_EQ(s.train.rate, 1e-4);
  EXPECT_FALSE(s.model.fusion);
  EXPECT_EQ(s.model.gate, "sigmoid");
  EXPECT_EQ(s.model.cross_attention, "shared");
  EXPECT_EQ(s.rqvae.hidden, (std::vector<int64_t>{96, 48}));
  EXPECT_EQ(s.seed, 7);
  EXPECT_EQ(s.train.omega, 1.0);
  set(s, "rqvae.hidden=96");
  EXPECT_EQ(s.rqvae.hidden, (std::vector<int64_t>{96}));
  set(s, "rqvae.hidden=[]");
  EXPECT_TRUE(s.rqvae.hidden.empty());
}

TEST(Settings, AnUnknownNameIsAnsweredWithTheNearest) {
  EXPECT_EQ(failure_of_set("kmeans.cluster=3"),
            "unknown setting \"kmeans.cluster\"; did you mean \"kmeans.clusters\"?");
  EXPECT_EQ(failure_of_set("beam=3"), "unknown setting \"beam\"; did you mean \"search.beam\"?");
  EXPECT_EQ(failure_of_set("modle.width=3"), "unknown setting \"modle.width\"; did you mean \"model.width\"?");
  EXPECT_EQ(failure_of_set("kmeans.clusters"), "setting \"kmeans.clusters\": expected NAME=VALUE");
}

TEST(Settings, AValueOfAnotherTypeOrRangeIsRefusedWithWhatWasExpected) {
  EXPECT_EQ(failure_of_set("kmeans.clusters=0"), "kmeans.clusters: expected an integer from 1 to 65536, found 0");
  EXPECT_EQ(failure_of_set("kmeans.clusters=1.5"),
            "kmeans.clusters: expected an integer from 1 to 65536, found \"1.5\"");
  EXPECT_EQ(failure_of_set("kmeans.clusters="), "kmeans.clusters: expected an integer from 1 to 65536, found \"\"");
  EXPECT_EQ(failure_of_set("model.gate=relu"), "model.gate: expected \"swish\" or \"sigmoid\", found \"relu\"");
  EXPECT_EQ(failure_of_set("model.fusion=1"), "model.fusion: expected true or false, found \"1\"");
  EXPECT_EQ(failure_of_set("train.omega=nan"), "train.omega: expected a number from 0 to 1000000, found nan");
  EXPECT_EQ(failure_of_set("train.omega=inf"), "train.omega: expected a number from 0 to 1000000, found inf");
  EXPECT_NE(failure_of_set("rqvae.hidden=512,x"), "");
  EXPECT_NE(failure_of_set("rqvae.hidden=512,,256"), "");
  EXPECT_NE(failure_of_set("rqvae.hidden=1,"), "");
  EXPECT_NE(failure_of_set("rqvae.hidden=,"), "");
  EXPECT_NE(failure_of_set("seed=+-0"), "");
  EXPECT_NE(failure_of_set("rqvae.hidden=0"), "");
  EXPECT_NE(failure_of_set("seed=99999999999999999999"), "");
  EXPECT_NE(failure_of_set("seed=-1"), "");
}

TEST(Settings, MessagesAboutForeignTextStayOnOneShortLine) {
  const std::string message = failure_of_set("model.gate=a\nb\x1b[31m" + std::string(5000, 'x'));
  EXPECT_EQ(message.find('\n'), std::string::npos);
  EXPECT_EQ(message.find('\x1b'), std::string::npos);
  EXPECT_LT(message.size(), 200u);
  EXPECT_LT(failure_of_set(std::string(100000, 'n') + "=1").size(), 200u);
  std::string list = "rqvae.hidden=1";
  for (int i = 0; i < 50000; ++i) list += ",1";
  EXPECT_LT(failure_of_set(list).size(), 500u);
}

TEST(Settings, TomlSetsTablesAndDottedKeys) {
  Settings s;
  parse(s,
        "seed = 9\nmodel.width = 64\n[kmeans]\nclusters = 32 # few\n[train]\nrate = 1\n[rqvae]\nhidden = [64, 32]\n");
  EXPECT_EQ(s.seed, 9);
  EXPECT_EQ(s.model.width, 64);
  EXPECT_EQ(s.kmeans.clusters, 32);
  EXPECT_EQ(s.train.rate, 1.0);
  EXPECT_EQ(s.rqvae.hidden, (std::vector<int64_t>{64, 32}));
}

TEST(Settings, TomlErrorsCarryFileAndLine) {
  EXPECT_EQ(failure_of_toml("[kmeans]\n\ncluster = 3\n"),
            "my.toml:3: unknown setting \"kmeans.cluster\"; did you mean \"kmeans.clusters\"?");
  EXPECT_EQ(failure_of_toml("[kmeans]\nclusters = 3.0\n"),
            "my.toml:2: kmeans.clusters: expected an integer from 1 to 65536, found 3.0");
  EXPECT_EQ(failure_of_toml("[train]\nomega = inf\n"),
            "my.toml:2: train.omega: expected a number from 0 to 1000000, found inf");
  EXPECT_EQ(failure_of_toml("[model]\ngate = true\n"),
            "my.toml:2: model.gate: expected \"swish\" or \"sigmoid\", found true");
  EXPECT_EQ(failure_of_toml("seed = 1979-05-27\n"),
            "my.toml:1: seed: expected an integer from 0 to 9007199254740991, found date");
  EXPECT_EQ(failure_of_toml("seed = 1\nthis is not toml\n").substr(0, 10), "my.toml:2:");
  EXPECT_EQ(failure_of_toml("seed = 1\nseed = 2\n").substr(0, 10), "my.toml:2:");
  EXPECT_EQ(
      failure_of_toml("[rqvae]\nhidden = [1, 1.5]\n"),
      "my.toml:2: rqvae.hidden: expected a list of at most 16 integers from 1 to 65536, found floating-point in a "
      "list");
  EXPECT_NE(failure_of_toml("kmeans = 3\n"), "");
  EXPECT_NE(failure_of_toml("[[kmeans]]\nclusters = 3\n"), "");
  EXPECT_NE(failure_of_toml("model.width.more = 3\n"), "");
  EXPECT_NE(failure_of_toml("seed = \"\xff\"\n"), "");
  EXPECT_NE(failure_of_toml(std::string(100000, '[')), "");
}

TEST(Settings, AFileWithAnErrorChangesNothing) {
  Settings s;
  EXPECT_NE(failure([&] { parse(s, "seed = 9\n[kmeans]\nclusters = -1\n"); }), "");
  EXPECT_EQ(s.seed, 1);
}

TEST(Settings, TomlGivesBackExactlyWhatWasWritten) {
  Settings s;
  s.seed = 9007199254740991;
  s.train.rate = 0.1 + 0.2;
  s.train.first_rate = 5e-324;
  s.rqvae.alpha = 1.0 / 3;
  s.train.omega = 1e6;
  s.rqvae.hidden = {};
  s.model.fusion = false;
  s.identifiers.scheme = "hierarchical";
  Settings back;
  parse(back, to_toml(s));
  EXPECT_EQ(to_toml(back), to_toml(s));
  EXPECT_EQ(back.train.rate, s.train.rate);
  EXPECT_EQ(back.train.first_rate, s.train.first_rate);
  EXPECT_EQ(back.rqvae.alpha, s.rqvae.alpha);
  EXPECT_TRUE(back.rqvae.hidden.empty());
  EXPECT_EQ(back.identifiers.scheme, "hierarchical");
}

TEST(Settings, RulesBetweenSettingsAreChecked) {
  const auto broken = [](std::initializer_list<const char*> assignments) {
    Settings s;
    for (const char* assignment : assignments) set(s, assignment);
    return failure([&] { check_settings(s); });
  };
  EXPECT_EQ(broken({"model.heads=7"}), "model.heads: expected a divisor of model.width = 512, found 7");
  EXPECT_EQ(broken({"model.width=63", "model.heads=1"}), "model.width: expected an even number, found 63");
  EXPECT_EQ(broken({"model.dropout=1"}), "model.dropout: expected less than 1, found 1");
  EXPECT_EQ(broken({"identifiers.unique=96"}), "identifiers.unique: expected a power of two from 4, found 96");
  EXPECT_EQ(broken({"rqvae.epochs=10"}), "rqvae.warmup_epochs: expected at most rqvae.epochs = 10, found 300");
  EXPECT_NE(broken({"train.warmup_epochs=21"}), "");
  EXPECT_NE(broken({"train.rate=1e-7"}), "");
  EXPECT_EQ(broken({"train.weight_decay=0.1"}), "");
  EXPECT_EQ(broken({"train.weight_decay=0.1", "train.optimizer=adamw"}), "");
}

TEST(Settings, ThePapersFileHoldsThePapersValues) {
  Settings s;
  load_settings(s, ACE_SOURCE_DIR "/tools/paper.toml");
  EXPECT_NO_THROW(check_settings(s));
  EXPECT_EQ(s.kmeans.clusters, 128);
  EXPECT_EQ(s.rqvae.rate, 1e-4);
  EXPECT_EQ(s.train.batch, 512);
  EXPECT_EQ(s.train.omega, 0.15);
}

TEST(Settings, AMissingFileIsNamed) {
  Settings s;
  EXPECT_NE(failure([&] { load_settings(s, "/nowhere/my.toml"); }).find("/nowhere/my.toml"), std::string::npos);
}

TEST(Settings, TheMarkdownTableHasARowForEach) {
  const std::string table = settings_markdown();
  EXPECT_EQ(std::count(table.begin(), table.end(), '\n'), std::ptrdiff_t(settings_table().size() + 2));
  EXPECT_NE(table.find("| `kmeans.clusters` | `128` | 1 to 65536 |"), std::string::npos);
}

TEST(Settings, TheReadmeHoldsTheTable) {
  const std::string readme = tensor::read_file(ACE_SOURCE_DIR "/README.md");
  EXPECT_NE(readme.find(settings_markdown()), std::string::npos) << "README.md should hold:\n" << settings_markdown();
}

TEST(Nearest, CountsEditsAndSwaps) {
  const std::string_view verbs[] = {"sample", "import", "identify", "train", "evaluate", "search", "inspect"};
  EXPECT_EQ(nearest("trian", verbs), "train");
  EXPECT_EQ(nearest("serach", verbs), "search");
  EXPECT_EQ(nearest("eval", verbs), "evaluate");
  EXPECT_EQ(nearest("", verbs), "train");
  EXPECT_EQ(nearest("x", {}), "");
}

}  // namespace
}  // namespace ace
