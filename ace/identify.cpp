#include "ace/identify.h"

#include <nlohmann/json.hpp>

#include "ace/kmeans.h"
#include "ace/rqvae.h"
#include "ace/text.h"
#include "tensor/file.h"
#include "tensor/npy.h"

namespace ace {

using nlohmann::json;
using tensor::check;
using tensor::DType;
using tensor::Shape;
using tensor::Tensor;

namespace {

/// What a scheme gives: the table, how many leading positions are its prefix, files of its parts, facts for the report.
struct Coded {
  Identifiers identifiers;
  int64_t prefix = 0;
  std::map<std::string, std::string> files;
  json facts = json::object();
};

/// The coarse token, where the scheme has one, then the fine tokens of what is left.
Coded code_with_rqvae(const Rows& x, const Settings& settings, const Progress& progress) {
  Coded coded;
  std::vector<int64_t> vocabulary;
  KMeans coarse;
  precision_on(x.device(), settings.rqvae.precision);  // what is not to be had there is said before the work
  const bool has_coarse = settings.identifiers.scheme == "ace";
  if (has_coarse) {
    progress("k-means", 0, 1);
    coarse = fit_kmeans(x, settings.kmeans, uint64_t(settings.seed));
    progress("k-means", 1, 1, fmt::format("inertia {:.1f}", coarse.inertia));
    vocabulary.push_back(settings.kmeans.clusters);
    coded.files["kmeans.safetensors"] = tensor::safetensors_bytes({{"centroids", coarse.centroids}});
    coded.facts["inertia"] = coarse.inertia;
  }
  const Rows left = has_coarse ? x.less(coarse.centroids, coarse.labels) : x;
  const RqVaeFit fine = fit_rqvae(left, settings.rqvae, uint64_t(settings.seed), progress);
  coded.files["rqvae.safetensors"] = tensor::safetensors_bytes(nn::to_tensors(nn::parameters(fine.model)));
  coded.facts["reconstruction"] = fine.reconstruction;
  coded.facts["residual_variance"] = fine.variance;
  coded.facts["redrawn_entries"] = fine.redrawn;
  coded.facts["skipped_steps"] = fine.skipped;

  coded.prefix = settings.rqvae.codebooks + (has_coarse ? 1 : 0);
  vocabulary.insert(vocabulary.end(), size_t(settings.rqvae.codebooks), settings.rqvae.entries);
  Tensor prefixes(Shape{x.count(), coded.prefix}, DType::i32);
  int32_t* to = prefixes.data<int32_t>();
  for (int64_t i = 0; i < x.count(); ++i) {
    if (has_coarse) *to++ = coarse.labels[size_t(i)];
    to = std::copy_n(fine.codes.data<int32_t>() + i * settings.rqvae.codebooks, settings.rqvae.codebooks, to);
  }
  coded.identifiers = add_unique(prefixes, vocabulary, settings.identifiers.unique);
  return coded;
}

/// Table 2's "without the RQ-VAE tokens": the tree's own leaf counter makes rows unique.
Coded code_hierarchically(const Rows& x, const Settings& settings, const Progress& progress) {
  progress("hierarchical k-means", 0, 1);
  Coded coded;
  coded.identifiers = hierarchical_identifiers(x, settings.kmeans, settings.rqvae.entries, uint64_t(settings.seed));
  coded.prefix = coded.identifiers.positions();
  progress("hierarchical k-means", 1, 1);
  return coded;
}

json report(const Coded& coded, const Settings& settings) {
  const bool has_coarse = settings.identifiers.scheme != "rqvae";
  const IdentifierQuality quality = identifier_quality(coded.identifiers, coded.prefix, has_coarse);
  json result = {{"items", quality.items},
                 {"positions", coded.identifiers.positions()},
                 {"vocabulary", coded.identifiers.vocabulary},
                 {"collision_rate", quality.collision_rate},
                 {"largest_bucket", quality.largest_bucket},
                 {"capacity", quality.capacity},
                 {"codebooks", json::array()}};
  result.update(coded.facts);
  for (size_t j = 0; j < quality.positions.size(); ++j) {
    const CodeUse& use = quality.positions[j];
    const json entry = {{"entries", use.entries},       {"used", use.used},
                        {"dead", use.dead()},           {"coverage", use.coverage()},
                        {"perplexity", use.perplexity}, {"entropy_ratio", use.entropy_ratio}};
    if (j == 0 && has_coarse) {
      result["coarse_used"] = use.used;
      result["coarse"] = entry;
    } else {
      result["codebooks"].push_back(entry);
    }
  }
  if (!quality.advice.empty()) result["advice"] = quality.advice;
  return result;
}

/// The files of the scheme. Of ten million items each is large: what they are made of ends here, before the run reads
/// its own.
std::map<std::string, std::string> files_of(Coded coded, const Settings& settings, const Corpus& corpus) {
  std::map<std::string, std::string> files = std::move(coded.files);
  files["identifiers.json"] =
      Run::identifiers_json(coded.identifiers.vocabulary, std::filesystem::absolute(corpus.folder).string(),
                            corpus.checksum, report(coded, settings).dump());
  files["identifiers.npy"] = tensor::npy_bytes(coded.identifiers.tokens);
  const Trie tree(coded.identifiers);
  files["trie.bin"] = std::string(reinterpret_cast<const char*>(tree.bytes().data()), tree.bytes().size());
  return files;
}

std::vector<std::string> training_queries(const Corpus& corpus) {
  std::vector<char> judged(corpus.queries.size(), 0);
  for (const Judgement& judgement : corpus.judgements[size_t(Split::train)]) judged[size_t(judgement.query)] = 1;
  std::vector<std::string> texts;
  for (size_t q = 0; q < judged.size(); ++q) {
    if (judged[q]) texts.push_back(corpus.queries[q].text);
  }
  return texts;
}

}  // namespace

Run identify(Corpus corpus, const Settings& settings, const std::filesystem::path& folder, const Progress& progress) {
  check_settings(settings);
  tensor::check_new(folder);
  check(is_utf8(std::filesystem::absolute(corpus.folder).string()), "{}: expected UTF-8, which a run can name it by",
        tensor::name_of(std::filesystem::absolute(corpus.folder)));
  const std::vector<std::string> queries = training_queries(corpus);
  check(!queries.empty(), "{}: no training queries; qrels/train.tsv judges none, so nothing could be trained",
        corpus.folder.string());
  const Rows x = Rows(corpus.embeddings, settings.identifiers.normalize).on(settings.device);
  Coded coded = settings.identifiers.scheme == "hierarchical" ? code_hierarchically(x, settings, progress)
                                                              : code_with_rqvae(x, settings, progress);
  progress("tokenizer", 0, 1);
  const Tokenizer tokenizer = Tokenizer::train(queries, settings.tokenizer.pieces);
  progress("tokenizer", 1, 1, fmt::format("{} pieces", tokenizer.size()));

  std::string items = Run::items_jsonl(corpus.items);
  corpus.items = std::vector<Item>();  // the run has its own; {} would keep the memory
  std::map<std::string, std::string> files = files_of(std::move(coded), settings, corpus);
  files["settings.toml"] = to_toml(settings);
  files["items.jsonl"] = std::move(items);
  files["tokenizer.tsv"] = tokenizer.tsv();
  return Run::create(folder, std::move(files), progress);
}

}  // namespace ace
