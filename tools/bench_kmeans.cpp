#include "ace/kmeans.h"
#include "tensor/npy.h"
#include "tools/bench_inputs.h"
#include "tools/bench_report.h"

namespace tools::bench {
namespace {

using tensor::Tensor;

struct Options {
  int64_t items = 100000, width = 1024, clusters = 128;
  std::optional<std::filesystem::path> embeddings;
};

int kmeans(const Flags& flags, const Options& options) {
  check_on_cpu(flags, "kmeans");
  check_f32(flags, "kmeans");
  check_range("--clusters", {options.clusters}, 1, 65536);
  check_range("--items", {options.items}, options.clusters, 100000000);
  check_range("--width", {options.width}, 1, 65536);
  const Tensor vectors = options.embeddings ? tensor::read_npy(*options.embeddings)
                                            : clustered_vectors(options.items, options.width, flags.seed());
  const ace::Rows x(vectors, options.embeddings.has_value());
  Report report(flags, "kmeans",
                {{"work", "work"},
                 {"items", "items"},
                 {"width", "width"},
                 {"clusters", "clusters"},
                 {"seconds", "time"},
                 {"inertia", "inertia"},
                 {"gflops", "GFLOP/s"},
                 {"share_sgemm", "of sgemm"},
                 {"gb_per_s", "GB/s"},
                 {"share_copy", "of copying"}});
  ace::Settings::KMeans settings;
  settings.clusters = options.clusters;
  const nlohmann::json sizes = {{"items", x.count()}, {"width", x.width()}, {"clusters", options.clusters}};
  const auto row = [&](const char* work, double inertia) {
    nlohmann::json result = sizes;
    result.update({{"work", work}, {"inertia", inertia}});
    return result;
  };

  ace::KMeans fit;
  std::vector<double> inertias, operations;  // of products: batches, then two passes
  uint64_t seed = flags.seed();
  const Timing fitting = report.time([&] {
    fit = ace::fit_kmeans(x, settings, seed++);
    inertias.push_back(fit.inertia);
    const double rows = double(fit.steps * std::min(settings.batch, x.count()) + 2 * x.count());
    operations.push_back(2 * rows * double(options.clusters) * double(x.width()));
  });
  nlohmann::json fitted = row("fit", median(inertias));
  fitted["inertias"] = inertias;
  report.add(std::move(fitted), fitting, median(operations));

  const Timing assigning = report.time([&] { fit = ace::assign_kmeans(x, fit.centroids); });
  nlohmann::json assigned = row("assign", fit.inertia);
  assigned.update(report.copying(double(vectors.bytes()), assigning.seconds));
  report.add(std::move(assigned), assigning, 2 * double(x.count()) * double(options.clusters) * double(x.width()));
  return report.print();
}

}  // namespace

void add_kmeans(const CommandLine& program, const Flags& flags) {
  const auto define = [](const CommandLine& scenario, Options& options) {
    scenario.option("--items", "N", options.items, "items, drawn around 256 directions; default 100000");
    scenario.option("--width", "N", options.width, "their width; default 1024");
    scenario.option("--clusters", "N", options.clusters, "clusters; default 128");
    scenario.option("--embeddings", "FILE.npy", options.embeddings, "the rows of a file instead, scaled to length 1");
  };
  add_scenario<Options>(program, flags, "kmeans",
                        "K-Means: a fit, each with another seed, and the assignment of all items", define, kmeans);
}

}  // namespace tools::bench
