#pragma once
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "kernels/gemm.h"
#include "tensor/tensor.h"

namespace ace {

/// Everything that can be set, with its default. The table in settings_table.cpp gives each field its dotted name,
/// range and help; from it come `--help`, TOML files, `--set NAME=VALUE`, validation and the README's table.
struct Settings {
  tensor::Device device = tensor::Device::cpu;  ///< where it is computed: of the machine, not of a run, never stored

  int64_t seed = 1;

  struct KMeans {
    int64_t clusters = 128;  ///< K
    int64_t batch = 1024;
  } kmeans;

  struct RqVae {
    int64_t codebooks = 2;  ///< M
    int64_t entries = 128;  ///< C
    int64_t latent = 64;
    std::vector<int64_t> hidden = {512, 256, 128};
    double alpha = 1.0, beta = 0.25;
    int64_t epochs = 500, warmup_epochs = 300;  ///< stretched to min_steps where the epochs give fewer
    int64_t min_steps = 2000;
    double rate = 1e-3, first_rate = 1e-6;
    int64_t batch = 2048;
    bool kmeans_init = true;        ///< codebooks start from k-means on at least 8,192 residuals
    int64_t redraw_steps = 50;      ///< an entry unused for so many steps is re-drawn; 0: never
    std::string precision = "f32";  ///< f32 | bf16 | f16
  } rqvae;

  struct Identifiers {
    std::string scheme = "ace";  ///< ace | rqvae (no K-Means token) | hierarchical (no RQ-VAE tokens)
    int64_t unique = 128;        ///< largest vocabulary of one unique digit; a power of two
    bool normalize = true;       ///< L2-normalise embeddings before clustering
  } identifiers;

  struct Tokenizer {
    int64_t pieces = 8192;
    int64_t max_tokens = 64;  ///< with the final eos
  } tokenizer;

  struct Model {
    int64_t width = 512, heads = 8;
    int64_t encoder_layers = 3, decoder_layers = 3;
    int64_t feed_forward = 0;  ///< 0: four times the width
    double dropout = 0.1;
    std::string gate = "swish";                ///< swish | sigmoid
    std::string cross_attention = "separate";  ///< separate | shared
    bool fusion = true;
  } model;

  struct Train {
    int64_t epochs = 20, batch = 64, accumulate = 1;
    std::string optimizer = "adam";  ///< adam | adamw
    double weight_decay = 0.0;
    double rate = 5e-4, first_rate = 1e-6;
    double warmup_epochs = 0;  ///< 0: 5 % of the steps
    double cycle_epochs = 0;   ///< 0: one cosine cycle over what follows the warm-up
    double omega = 0.15;       ///< weight of the consistency loss; 0: one pass
    double clip = 1.0;         ///< gradient norm; 0: not clipped
    int64_t checkpoint_steps = 200;
    int64_t evaluate_epochs = 1;    ///< measure on dev queries every so many epochs; 0: only at the end
    int64_t dev_queries = 1000;     ///< at most so many, evenly spread; 0: all
    std::string precision = "f32";  ///< f32 | bf16 | f16
  } train;

  struct Search {
    int64_t beam = 50;
    int64_t batch = 64;             ///< queries decoded together
    std::string precision = "f32";  ///< f32 | bf16 | f16 | int8
  } search;
};

/// One row of the table.
struct Setting {
  using Field = std::variant<int64_t*, double*, bool*, std::string*, std::vector<int64_t>*>;
  std::string_view name;  ///< `kmeans.clusters`
  std::string_view help;
  double low = 0, high = 0;               ///< inclusive range of numbers
  std::vector<std::string_view> choices;  ///< of words
  std::string_view stage;                 ///< the verb whose result it shapes: identify, train, search, or all
  Field (*field)(Settings&);
};
std::span<const Setting> settings_table();

/// Applies `name=value`; fails with the nearest valid name, the range or the choices.
void set(Settings& settings, std::string_view assignment);
/// Applies a TOML file (`[kmeans]\nclusters = 64`); errors carry file and line.
void load_settings(Settings& settings, const std::filesystem::path& file);
/// The same from text at hand; `origin` names it in messages.
void parse_settings(Settings& settings, std::string_view toml, std::string_view origin);
/// All settings as TOML, in the table's order; parse_settings gives the same settings back.
std::string to_toml(const Settings& settings);
/// `128`, `0.25`, `true`, `"swish"`, `[512, 256, 128]`
std::string value_text(const Settings& settings, const Setting& setting);
/// `1 to 4096`, `"swish" or "sigmoid"`, `true or false`: what a setting takes.
std::string range_text(const Setting& setting);
/// The README's table, in Markdown: name, default, range, meaning, verb.
std::string settings_markdown();
/// "f32", "bf16", "f16" or "int8" as what products are given.
kernels::Precision precision_of(std::string_view name);
/// The same; fails in one line where that device has no such products.
kernels::Precision precision_on(tensor::Device device, std::string_view name);
/// Checks rules that tie settings together (heads divide width, unique is a power of two, …).
void check_settings(const Settings& settings);

}  // namespace ace
