#include <unistd.h>

#include "ace/beam_search.h"
#include "ace/rows.h"
#include "kernels/top_k.h"
#include "tensor/file.h"
#include "tools/bench_counts.h"
#include "tools/bench_hnsw.h"
#include "tools/bench_inputs.h"
#include "tools/bench_plot.h"
#include "tools/bench_report.h"

namespace tools::bench {
namespace {

using tensor::Tensor;

struct Options {
  ModelOptions model;
  std::vector<int64_t> items = {1000, 10000, 100000, 1000000, 10000000}, beam = {5, 25, 50};
  int64_t queries = 100, tokens = 24, item_width = 1024, hnsw_items = 100000;
  std::optional<std::filesystem::path> captions, svg;
  bool dual = false;
};

constexpr int64_t top = 10;

/// The same queries twice: as long as captions are, and all of one length.
struct Queries {
  const char* input;
  std::string text;
  Texts texts;
  nn::TextBatch batch;
};

std::vector<Queries> draw_queries(const Flags& flags, const Options& options) {
  const Texts captions =
      Captions(options.captions, options.model.vocabulary, flags.seed()).draw(options.queries, flags.seed());
  const Texts equal = equal_texts(options.queries, options.tokens, options.model.vocabulary, flags.seed());
  return {{"captions", fmt::format("{:.1f} pieces on average", mean_length(captions)), captions,
           nn::TextBatch::pack(captions)},
          {"equal", fmt::format("{} pieces each", options.tokens), equal, nn::TextBatch::pack(equal)}};
}

nlohmann::json row_of(const std::string& method, const Queries& queries, int64_t items, const Timing& timing) {
  return {{"method", method},
          {"input", queries.input},
          {"items", items},
          {"queries_per_second", double(queries.texts.size()) / timing.seconds}};
}

/// Constrained beam search over identifiers drawn at random, by a model whose weights are.
void measure_ace(Report& report, const Flags& flags, const Options& options, std::span<const Queries> inputs) {
  for (const int64_t items : options.items) {
    const ace::Identifiers table = draw_table(items, flags.seed());
    const ace::RetrieverOptions sizes = retriever_options(options.model, table.vocabulary);
    nn::Initializer init(flags.seed());
    const ace::Retriever model(sizes, init);
    nn::move(nn::parameters(model), flags.machine.on());
    nn::freeze(nn::parameters(model), flags.precision());
    const ace::Trie trie(table);
    const ace::BeamSearch search(model, trie);
    for (const int64_t beam : options.beam) {
      std::vector<int64_t> rows;  // of each position, while the tree has so many prefixes
      for (int64_t j = 0; j < table.positions(); ++j) rows.push_back(std::min(beam, trie.nodes(j)));
      for (const Queries& queries : inputs) {
        const Timing timing = report.time([&] { search(queries.batch, {beam, true}); });
        nlohmann::json row = row_of(fmt::format("ace, beam {}", beam), queries, items, timing);
        row["beam"] = beam;
        report.add(std::move(row), timing, search_flops(sizes, queries.texts, rows));
      }
    }
  }
}

/// Rows near some of the items, as the vectors of queries are in a trained tower.
Tensor near_items(const Tensor& items, int64_t count, uint64_t seed) {
  const Tensor noise = clustered_vectors(count, items.cols(), seed + 1);
  Tensor result(noise.shape(), tensor::DType::f32);
  for (int64_t q = 0; q < count; ++q) {
    const float* item = items.data<float>() + q * items.rows() / count * items.cols();
    for (int64_t c = 0; c < items.cols(); ++c) {
      const int64_t at = q * items.cols() + c;
      result.data<float>()[at] = item[c] + 0.5f * noise.data<float>()[at];
    }
  }
  return ace::Rows(result, true).block(0, count);
}

double recall(const std::vector<std::vector<ace::Match>>& found, const std::vector<std::vector<ace::Match>>& exact) {
  int64_t hits = 0, all = 0;
  for (size_t q = 0; q < exact.size(); ++q) {
    for (const ace::Match& match : exact[q]) {
      hits += std::any_of(found[q].begin(), found[q].end(), [&](const auto& f) { return f.item == match.item; });
      ++all;
    }
  }
  return double(hits) / double(all);
}

double memory_bytes() { return double(sysconf(_SC_PHYS_PAGES)) * double(sysconf(_SC_PAGESIZE)); }

/// Dual tower: the same encoder, then every item's vector, or a graph of them. The tower has drawn weights, so the
/// vectors that are searched for are not those it gives; the work is the same.
void measure_dual(Report& report, const Flags& flags, const Options& options, std::span<const Queries> inputs) {
  const ace::RetrieverOptions sizes = retriever_options(options.model, {1});
  nn::Initializer init(flags.seed());
  const ace::DualTower tower({options.model.vocabulary, sizes.layer.width, sizes.layer.heads, sizes.layer.inner,
                              sizes.layer.encoder_layers, options.item_width},
                             init);
  nn::freeze(nn::parameters(tower), flags.precision());
  std::vector<int64_t> sizes_in_memory;
  for (const int64_t items : options.items) {
    const double bytes = 4.0 * double(items) * double(options.item_width);
    if (bytes > memory_bytes() / 2) {
      report.note(fmt::format("dual tower, {} items: left out, the vectors take {:.0f} of {:.0f} GB of memory", items,
                              1e-9 * bytes, 1e-9 * memory_bytes()));
      continue;
    }
    sizes_in_memory.push_back(items);
  }
  if (sizes_in_memory.empty()) return;
  std::sort(sizes_in_memory.begin(), sizes_in_memory.end());
  const Tensor all = clustered_vectors(sizes_in_memory.back(), options.item_width, flags.seed());
  const int64_t in_graph = std::min(options.hnsw_items, sizes_in_memory.back());
  Hnsw graph(options.item_width, std::max<int64_t>(in_graph, 1));
  double building = 0;
  for (const int64_t items : sizes_in_memory) {
    const Tensor some = all.range(0, items), wanted = near_items(some, options.queries, flags.seed());
    const auto exact = ace::best_items(wanted, some, top);
    for (const Queries& queries : inputs) {
      const Timing timing = report.time([&] {
        tower.embed(queries.batch);
        ace::best_items(wanted, some, top);
      });
      report.add(row_of("dual tower, exact", queries, items, timing), timing,
                 dual_tower_flops(sizes, queries.texts, options.item_width, items));
    }
    if (items > in_graph) {
      report.note(fmt::format("dual tower, HNSW, {} items: left out, see --hnsw-items", items));
      continue;
    }
    building += seconds_of([&] { graph.add_until(some, items); });
    const double found = recall(graph.best_items(wanted, top), exact);
    for (const Queries& queries : inputs) {
      const Timing timing = report.time([&] {
        tower.embed(queries.batch);
        graph.best_items(wanted, top);
      });
      nlohmann::json row = row_of("dual tower, HNSW", queries, items, timing);
      row.update({{"seconds", timing.seconds}, {"recall_10", found}, {"seconds_build", building}});
      report.add(std::move(row));
    }
  }
}

/// A line for each method and kind of input, a point for each number of items.
Figure figure_of(const Report& report, const Options& options, std::span<const Queries> inputs) {
  Figure figure{fmt::format("Queries a second, {} at once", options.queries), "items", "queries a second", {}};
  std::vector<std::string> methods;
  for (const auto& row : report.rows()) {
    const std::string method = row["method"];
    const bool equal = row["input"] == inputs[1].input;
    const std::string name = fmt::format("{}, {}", method, equal ? inputs[1].text : "captions");
    auto line = std::find_if(figure.lines.begin(), figure.lines.end(), [&](const auto& l) { return l.name == name; });
    if (line == figure.lines.end()) {
      auto known = std::find(methods.begin(), methods.end(), method);
      const int colour = int(known - methods.begin());
      if (known == methods.end()) methods.push_back(method);
      line = figure.lines.insert(line, {name, colour, equal, {}});
    }
    line->points.push_back({row["items"].get<double>(), row["queries_per_second"].get<double>()});
  }
  for (Figure::Line& line : figure.lines) std::sort(line.points.begin(), line.points.end());
  return figure;
}

int search(const Flags& flags, const Options& options) {
  check_model_options(options.model);
  check_range("--items", options.items, 1, 100000000);
  check_range("--beam", options.beam, 1, flags.machine.on() == tensor::Device::cpu ? 100000 : kernels::top_k_most);
  if (options.dual) check_on_cpu(flags, "search --dual");
  check_range("--queries", {options.queries}, 1, 100000);
  check_range("--tokens", {options.tokens}, 1, 4096);
  check_range("--item-width", {options.item_width}, 1, 65536);
  check_range("--hnsw-items", {options.hnsw_items}, 0, 100000000);
  if (options.svg) tensor::check_new(*options.svg);
  const std::vector<Queries> inputs = draw_queries(flags, options);
  Report report(flags, "search",
                {{"method", "method"},
                 {"input", "queries"},
                 {"items", "items"},
                 {"seconds", "time"},
                 {"queries_per_second", "queries/s"},
                 {"gflop", "GFLOP"},
                 {"gflops", "GFLOP/s"},
                 {"share_sgemm", "of sgemm"},
                 {"recall_10", "recall@10"},
                 {"seconds_build", "built in"}});
  for (const Queries& queries : inputs) {
    report.note(fmt::format("{}: {} queries, {}", queries.input, options.queries, queries.text));
  }
  measure_ace(report, flags, options, inputs);
  if (options.dual) measure_dual(report, flags, options, inputs);
  if (options.svg) tensor::write_new_file(*options.svg, svg(figure_of(report, options, inputs)));
  return report.print();
}

}  // namespace

void add_search(const CommandLine& program, const Flags& flags) {
  const auto define = [](const CommandLine& scenario, Options& options) {
    scenario.option("--items", "N", options.items, "sizes of the corpus; default 1000,10000,100000,1000000,10000000");
    scenario.option("--beam", "N", options.beam, "beam sizes; default 5,25,50");
    scenario.option("--queries", "N", options.queries, "queries at once; default 100");
    scenario.option("--tokens", "N", options.tokens, "pieces of each query of equal length; default 24");
    add_captions_option(scenario, options.captions);
    scenario.flag("--dual", options.dual, "a dual tower of the same encoder beside it: exact, and by an HNSW graph");
    scenario.option("--hnsw-items", "N", options.hnsw_items, "largest graph to build; default 100000");
    add_model_options(scenario, options.model);
    scenario.option("--item-width", "N", options.item_width, "width of the dual tower's vectors; default 1024");
    scenario.option("--svg", "FILE", options.svg, "draws queries a second over items, in a new file");
  };
  add_scenario<Options>(program, flags, "search", "queries a second, over the number of items", define, search);
}

}  // namespace tools::bench
