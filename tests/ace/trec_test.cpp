#include "ace/trec.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <set>
#include <sstream>
#include <vector>

#include "tensor/error.h"

#include "tests/files.h"

namespace ace {
namespace {

TEST(Trec, WritesOneLineAResult) {
  const std::vector<TrecResult> results = {{"a.jpg", -0.5}, {"b.jpg", -2}};
  EXPECT_EQ(trec_lines("q1", results), "q1 Q0 a.jpg 1 -0.5 ace\nq1 Q0 b.jpg 2 -2 ace\n");
  EXPECT_EQ(trec_lines("q1", {}), "");
}

TEST(Trec, ScoresReadAsFloatsStrictlyDecrease) {
  std::vector<TrecResult> results(20, TrecResult{"x", -1.25});
  results.insert(results.end(),
                 {{"y", -1.25 - 1e-12}, {"z", std::nextafter(-1.25f, -9.0f)}, {"w", -3}, {"v", -3}, {"u", -1e30}});
  std::istringstream lines(trec_lines("q", results));
  std::string query, q0, item, tag;
  int rank = 0, expected = 1;
  float score = 0, above = std::numeric_limits<float>::infinity();
  while (lines >> query >> q0 >> item >> rank >> score >> tag) {
    EXPECT_EQ(rank, expected++);
    EXPECT_LT(score, above);
    above = score;
  }
  EXPECT_EQ(expected, int(results.size()) + 1);
  std::vector<TrecResult> zeros(3, TrecResult{"x", 0});
  EXPECT_NE(trec_lines("q", zeros).find(" 1 0 "), std::string::npos);
}

TEST(Trec, IdsAreOneWordAndStayApart) {
  EXPECT_EQ(trec_id("plain-1.jpg"), "plain-1.jpg");
  EXPECT_EQ(trec_id("test/ a b\t.wav"), "test/%20a%20b%09.wav");
  EXPECT_EQ(trec_id("100% x"), "100%%20x");
  EXPECT_EQ(trec_id("a%20b"), "a%2520b");
  EXPECT_EQ(trec_id("a\u00A0\u72AC"), "a%C2%A0\u72AC");
  std::set<std::string> ids;
  for (const char* id : {"a b", "a%20b", "a%2520b", "a%b", "a%%20b", "a% b"})
    EXPECT_TRUE(ids.insert(trec_id(id)).second) << id;
}

TEST(Trec, RefusesScoresThatDoNotRank) {
  const double nan = std::nan("");
  EXPECT_THROW(trec_lines("q", std::vector<TrecResult>{{"a", nan}}), tensor::Error);
  EXPECT_THROW(trec_lines("q", std::vector<TrecResult>{{"a", -INFINITY}}), tensor::Error);
  EXPECT_EQ(message_of([] {
              trec_lines("q", std::vector<TrecResult>{{"a", -2}, {"b", -1}});
            }),
            "trec: query \"q\": the score at rank 2 is above the one before it");
  EXPECT_THROW(trec_id(""), tensor::Error);
}

}  // namespace
}  // namespace ace
