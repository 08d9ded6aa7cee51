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

/// A child of each node at random: what a search might choose.
std::vector<int32_t> draw_tokens_below(const ace::Trie& trie, int64_t level, std::span<const int32_t> nodes,
                                       uint64_t seed) {
  tensor::Random random(seed, 100 + uint64_t(level));
  std::vector<int32_t> tokens;
  for (const int32_t node : nodes) {
    const std::vector<int32_t> all = trie.children(level, node).tokens;
    tokens.push_back(all[size_t(random.below(int64_t(all.size())))]);
  }
  return tokens;
}

int trie(const Flags& flags, const Options& options) {
  check_on_cpu(flags, "trie");
  check_f32(flags, "trie");
  check_range("--items", options.items, 1, 100000000);
  check_range("--rows", {options.rows}, 1, 10000000);
  Report report(flags, "trie",
                {{"work", "work"},
                 {"items", "items"},
                 {"level", "position"},
                 {"seconds", "time"},
                 {"bytes_per_identifier", "bytes/item"},
                 {"gb_per_s", "GB/s"},
                 {"share_copy", "of copying"}});
  constexpr int calls = 100;  // one is too short for the clock
  for (const int64_t items : options.items) {
    const ace::Identifiers table = draw_table(items, flags.seed());
    ace::Trie tree;
    const Timing building = report.time([&] { tree = ace::Trie(table); });
    nlohmann::json built = report.copying(double(table.tokens.bytes()) + double(tree.bytes().size()), building.seconds);
    built.update({{"work", "build"},
                  {"items", items},
                  {"seconds", building.seconds},
                  {"bytes_per_identifier", double(tree.bytes().size()) / double(items)}});
    report.add(std::move(built));
    for (int64_t level = 1; level < tree.positions(); ++level) {
      const std::vector<int32_t> nodes = draw_nodes(tree, level, options.rows, flags.seed());
      const std::vector<int32_t> tokens = draw_tokens_below(tree, level, nodes, flags.seed());
      const kernels::TreeLevel& arrays = tree.level(level);
      std::vector<uint64_t> masks(size_t(options.rows * kernels::mask_words(arrays.vocabulary)));
      std::vector<int32_t> children(nodes.size());
      const auto add = [&](const char* work, size_t bytes, const auto& call) {
        const Timing timing = report.time([&] {
          for (int i = 0; i < calls; ++i) call();
        });
        const double seconds = timing.seconds / calls;
        nlohmann::json row = report.copying(double(bytes), seconds);
        row.update({{"work", fmt::format("{} of {} rows", work, options.rows)},
                    {"items", items},
                    {"level", level},
                    {"seconds", seconds}});
        report.add(std::move(row));
      };
      const size_t some = 4 * nodes.size();  // a node, a token or a child each
      add("masks", some + 8 * masks.size(),
          [&] { kernels::tree_masks(kernels::Cpu(), arrays, nodes.data(), masks.data(), options.rows); });
      add("children", 3 * some, [&] {
        kernels::tree_children(kernels::Cpu(), arrays, nodes.data(), tokens.data(), children.data(), options.rows);
      });
    }
  }
  return report.print();
}

}  // namespace

void add_trie(const CommandLine& program, const Flags& flags) {
  const auto define = [](const CommandLine& scenario, Options& options) {
    scenario.option("--items", "N", options.items, "sizes of the corpus; default 10000000");
    scenario.option("--rows", "N", options.rows, "rows of a step; default 2500");
  };
  add_scenario<Options>(program, flags, "trie", "the prefix tree: built, and asked for what follows many prefixes",
                        define, trie);
}

}  // namespace tools::bench
