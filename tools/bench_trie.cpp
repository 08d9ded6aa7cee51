#include "ace/trie.h"
#include "tensor/random.h"
#include "tools/bench_inputs.h"
#include "tools/bench_report.h"

namespace tools::bench {
namespace {

struct Options {
  std::vector<int64_t> items = {10000000};
  int64_t rows = 2500;
};

/// Nodes of a level at random, as many as a step of the search has rows.
std::vector<int32_t> draw_nodes(const ace::Trie& trie, int64_t level, int64_t rows, uint64_t seed) {
  tensor::Random random(seed, uint64_t(level));
  std::vector<int32_t> nodes;
  for (int64_t i = 0; i < rows; ++i) nodes.push_back(int32_t(random.below(trie.nodes(level))));
  return nodes;
}

/// What a step asks the tree for: all children of every row's node. Returns something that depends on all of them.
int64_t visit(const ace::Trie& trie, int64_t level, std::span<const int32_t> nodes) {
  int64_t sum = 0;
  for (const int32_t node : nodes) {
    const ace::Trie::Children children = trie.children(level, node);
    for (const int32_t token : children.tokens) sum += token + children.first;
  }
  return sum;
}

/// The arrays of ace/trie.h: offsets of every level's nodes, their tokens, the items.
int64_t bytes_of(const ace::Trie& trie) {
  int64_t numbers = trie.nodes(trie.positions());
  for (int64_t level = 0; level < trie.positions(); ++level) numbers += trie.nodes(level) + 1 + trie.nodes(level + 1);
  return 4 * numbers;
}

int trie(const Flags& flags, const Options& options) {
  check_range("--items", options.items, 1, 100000000);
  check_range("--rows", {options.rows}, 1, 10000000);
  Report report(flags, "trie",
                {{"work", "work"},
                 {"items", "items"},
                 {"level", "position"},
                 {"seconds", "time"},
                 {"bytes_per_identifier", "bytes/item"},
                 {"children_per_row", "children/row"}});
  int64_t seen = 0;
  for (const int64_t items : options.items) {
    const ace::Identifiers table = draw_table(items, flags.seed());
    const Timing building = report.time([&] { seen += ace::Trie(table).nodes(1); });
    const ace::Trie tree(table);
    report.add({{"work", "build"},
                {"items", items},
                {"seconds", building.seconds},
                {"bytes_per_identifier", double(bytes_of(tree)) / double(items)}});
    for (int64_t level = 1; level < tree.positions(); ++level) {
      const std::vector<int32_t> nodes = draw_nodes(tree, level, options.rows, flags.seed());
      constexpr int calls = 100;  // one is too short for the clock
      const Timing timing = report.time([&] {
        for (int i = 0; i < calls; ++i) seen += visit(tree, level, nodes);
      });
      double children = 0;
      for (const int32_t node : nodes) children += double(tree.children(level, node).tokens.size());
      report.add({{"work", fmt::format("step of {} rows", options.rows)},
                  {"items", items},
                  {"level", level},
                  {"seconds", timing.seconds / calls},
                  {"children_per_row", children / double(options.rows)}});
    }
  }
  tensor::check(seen != 0, "trie: its tokens are all 0");
  return report.print();
}

}  // namespace

void add_trie(CLI::App& app, const Flags& flags, Action& action) {
  const auto define = [](CLI::App& scenario, Options& options) {
    scenario.add_option("--items", options.items, "sizes of the corpus; default 10000000")
        ->delimiter(',')
        ->type_name("N");
    scenario.add_option("--rows", options.rows, "rows of a step; default 2500")->type_name("N");
  };
  add_scenario<Options>(app, flags, action, "trie", "the prefix tree: built, and asked by a step of the search", define,
                        trie);
}

}  // namespace tools::bench
