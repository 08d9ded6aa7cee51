#include <gtest/gtest.h>

#include "tests/tools/program.h"

namespace tools_test {
namespace {

TEST(Gradcheck, ChecksTheOpsThatAreNamed) {
  const Outcome outcome = run_gradcheck({"relu", "add"});
  EXPECT_EQ(outcome.code, 0);
  EXPECT_EQ(outcome.err, "");
  for (const char* word : {"\nrelu ", "\nadd ", " ok\n"}) EXPECT_NE(outcome.out.find(word), std::string::npos) << word;
  EXPECT_EQ(outcome.out.find("\nsoftmax "), std::string::npos);
}

TEST(Gradcheck, AWordThatIsNoOpIsRefusedBeforeAnythingIsChecked) {
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{"sofmax"}, {"relu", "sofmax"}, {"sofmax", "relu"}}) {
    const Outcome outcome = run_gradcheck(words);
    EXPECT_EQ(outcome.code, 2);
    EXPECT_EQ(outcome.out, "");
    EXPECT_EQ(outcome.err, "gradcheck: error: no op \"sofmax\"; did you mean \"softmax\"?\n");
  }
}

TEST(Gradcheck, HelpListsTheOps) {
  const Outcome outcome = run_gradcheck({"--help"});
  EXPECT_EQ(outcome.code, 0);
  EXPECT_EQ(outcome.err, "");
  for (const char* word : {"usage: gradcheck", "relu", "r_drop"}) {
    EXPECT_NE(outcome.out.find(word), std::string::npos) << word;
  }
}

}  // namespace
}  // namespace tools_test
