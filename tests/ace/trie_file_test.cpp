#include <gtest/gtest.h>

#include <cstring>
#include <random>

#include "ace/trie.h"
#include "tests/ace/tiny.h"
#include "tests/files.h"

namespace ace {
namespace {

std::string bytes_of(const Trie& trie) {
  return {reinterpret_cast<const char*>(trie.bytes().data()), trie.bytes().size()};
}

/// A table whose tree has levels of every form.
Identifiers all_forms() {
  tensor::Random random(1);
  std::vector<std::vector<int32_t>> rows;
  for (int32_t a = 0; a < 40; ++a) {
    for (int32_t b = 0; b < 20; ++b) {
      const int32_t far = int32_t(random.below(100000)), near = int32_t(random.below(300)),
                    byte = int32_t(random.below(200));
      for (int32_t unique = 0; unique <= a % 3; ++unique) rows.push_back({a + a / 9, b * 2, far, near, byte, unique});
    }
  }
  random.shuffle(std::span(rows));
  return tiny::table({64, 40, 100000, 300, 200, 4}, rows);
}

class TrieFile : public testing::Test {
 protected:
  TrieFile() : identifiers_(all_forms()), good_(bytes_of(Trie(identifiers_))) {}
  /// What a file with these bytes is refused for, without its path; empty when it is accepted.
  std::string refused(const std::string& bytes) {
    put(folder_ / "trie.bin", bytes);
    const std::string message = message_of([&] { Trie::open(folder_ / "trie.bin", identifiers_); });
    if (message.empty()) return "";
    const std::string origin = (folder_ / "trie.bin").string() + ": ";
    EXPECT_TRUE(message.starts_with(origin)) << message;
    return message.substr(std::min(origin.size(), message.size()));
  }
  /// The good file with one u64 of its header changed.
  std::string with_word(size_t place, uint64_t value) const {
    std::string bytes = good_;
    std::memcpy(bytes.data() + 8 * place, &value, 8);
    return bytes;
  }
  uint64_t word(size_t place) const {
    uint64_t value;
    std::memcpy(&value, good_.data() + 8 * place, 8);
    return value;
  }
  TemporaryFolder folder_;
  Identifiers identifiers_;
  std::string good_;
};

TEST_F(TrieFile, IsTheTreeThatItWasMadeOf) {
  put(folder_ / "trie.bin", good_);
  const Trie built(identifiers_), opened = Trie::open(folder_ / "trie.bin", identifiers_);
  EXPECT_EQ(bytes_of(opened), good_);
  std::set<kernels::TreeLevel::Form> forms;
  for (int64_t j = 0; j < built.positions(); ++j) {
    forms.insert(opened.level(j).form);
    ASSERT_EQ(opened.nodes(j), built.nodes(j));
    for (int32_t node = 0; node < built.nodes(j); ++node) {
      ASSERT_EQ(opened.children(j, node).first, built.children(j, node).first);
      ASSERT_EQ(opened.children(j, node).tokens, built.children(j, node).tokens);
    }
  }
  EXPECT_EQ(forms.size(), 5u) << "a form was not tried";
  for (int32_t i = 0; i < identifiers_.items(); ++i) EXPECT_EQ(opened.find(identifiers_.row(i)), i);
}

TEST_F(TrieFile, StaysMappedForItsCopies) {
  put(folder_ / "trie.bin", good_);
  Trie copy;
  {
    const Trie opened = Trie::open(folder_ / "trie.bin", identifiers_);
    copy = opened;
  }
  std::filesystem::remove(folder_ / "trie.bin");
  EXPECT_EQ(copy.find(identifiers_.row(7)), 7);
}

TEST_F(TrieFile, HeadersThatTellOtherThingsAreRefused) {
  EXPECT_EQ(refused(""), "not a search tree");
  EXPECT_EQ(refused("ACETRIE\n"), "not a search tree");
  EXPECT_EQ(refused(with_word(0, 0)), "not a search tree");
  EXPECT_EQ(refused(with_word(1, 2)), "expected version 1, found 2");
  EXPECT_EQ(refused(with_word(2, 0)), "expected 1 to 65535 positions, found 0");
  EXPECT_EQ(refused(with_word(2, uint64_t(1) << 63)), "expected 1 to 65535 positions, found 9223372036854775808");
  EXPECT_EQ(refused(good_.substr(0, 100)), "cut off in its header");
  EXPECT_EQ(refused(with_word(3, 0)), "expected a number of leaves from 1 to 2147483647, found 0");
  EXPECT_EQ(refused(with_word(4, uint64_t(1) << 31)), "expected a vocabulary from 1 to 1073741824, found 2147483648");
  EXPECT_EQ(refused(with_word(5, 2)), "expected a number of nodes from 1 to 1, found 2");
  EXPECT_EQ(refused(with_word(6, 5)), "expected a form from 0 to 4, found 5");
  EXPECT_TRUE(refused(with_word(8, 0x7fffffff)).starts_with("cut off: expected at least "));
  EXPECT_TRUE(refused(with_word(3, 1)).starts_with("expected "));
  EXPECT_EQ(refused(good_.substr(0, good_.size() - 1)),
            fmt::format("cut off: expected at least {} bytes, found {}", good_.size(), good_.size() - 1));
  EXPECT_EQ(refused(good_ + "x"), fmt::format("expected {} bytes, found {}", good_.size(), good_.size() + 1));
}

TEST_F(TrieFile, AProductOfSizesThatOverflowsIsRefused) {
  // As large as numbers may be, at every level: the sum is far past 2⁶³.
  std::string bytes = with_word(3, 0x7fffffff);
  for (size_t j = 0; j < 6; ++j) {
    for (const auto& [place, value] : {std::pair<size_t, uint64_t>{4, 1 << 30}, {5, j == 0 ? 1 : 0x7fffffff}, {6, 1}}) {
      std::memcpy(bytes.data() + 8 * (place + 3 * j), &value, 8);
    }
  }
  EXPECT_TRUE(refused(bytes).starts_with("cut off: expected at least "));
}

TEST_F(TrieFile, ATreeOfOtherIdentifiersIsRefused) {
  const std::string vocabulary = "expected vocabularies [64, 40, 100000, 300, 200, 4], as the identifiers have, found ";
  EXPECT_EQ(refused(bytes_of(Trie(tiny::table({4, 2}, {{1, 1}})))), vocabulary + "[4, 2]");
  std::vector<int32_t> pool;
  for (int32_t i = 1; i < identifiers_.items(); ++i) pool.push_back(i);
  EXPECT_EQ(refused(bytes_of(Trie(identifiers_, pool))),
            fmt::format("expected {} items, as there are identifiers, found {}", pool.size() + 1, pool.size()));
  // The same rows, two of them in each other's place; and one row changed.
  Identifiers other{identifiers_.tokens.clone(), identifiers_.vocabulary};
  int32_t* const rows = other.tokens.data<int32_t>();
  std::swap_ranges(rows, rows + 6, rows + 6);
  const std::string swapped = "items 0 to 255 are not found by their identifiers: not the tree of this table";
  EXPECT_EQ(refused(bytes_of(Trie(other))), swapped);
  std::swap_ranges(rows, rows + 6, rows + 6);
  rows[6 * 300 + 2] ^= 1;
  EXPECT_EQ(refused(bytes_of(Trie(other))),
            "items 256 to 511 are not found by their identifiers: not the tree of this table");
}

TEST_F(TrieFile, AnyChangedBitIsRefused) {
  // The run's checksum is not asked here: whoever made the file may have made the manifest too.
  std::mt19937 random(5);
  for (size_t at = 0; at < good_.size(); at += 1 + random() % 19) {
    std::string bytes = good_;
    bytes[at] = char(bytes[at] ^ (1 << random() % 8));
    EXPECT_NE(refused(bytes), "") << "byte " << at;
  }
}

TEST_F(TrieFile, WordsOfAllOnesAnywhereAreRefused) {
  for (size_t at = 0; at + 8 <= good_.size(); at += 8 * 11) {
    std::string bytes = good_;
    std::memset(bytes.data() + at, 0xff, 8);
    EXPECT_NE(refused(bytes), "") << "byte " << at;
  }
}

TEST(RunTrie, IdentifyMakesItAndARunWithoutItBuildsIt) {
  const tiny::Runs runs;
  ASSERT_TRUE(runs.run.has("trie.bin"));
  EXPECT_EQ(tiny::bytes(runs.run, "trie.bin"), bytes_of(Trie(runs.run.identifiers)));
  EXPECT_EQ(bytes_of(runs.run.trie), tiny::bytes(runs.run, "trie.bin"));
  std::map<std::string, std::string> files;
  for (const char* name : {"settings.toml", "items.jsonl", "identifiers.npy", "identifiers.json", "tokenizer.tsv"}) {
    files[name] = tiny::bytes(runs.run, name);
  }
  const ace::Run old = ace::Run::create(runs.scratch / "old", files);
  EXPECT_FALSE(old.has("trie.bin"));
  EXPECT_EQ(bytes_of(old.trie), bytes_of(runs.run.trie));
  files["trie.bin"] = tiny::bytes(runs.run, "trie.bin").substr(0, 64);
  EXPECT_TRUE(fails_with("trie.bin: cut off", [&] { ace::Run::create(runs.scratch / "cut", files); }));
}

}  // namespace
}  // namespace ace
