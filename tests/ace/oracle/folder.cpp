#include "folder.h"

#include "tensor/file.h"
#include "tensor/json.h"

namespace oracle {

using nlohmann::json;
using tensor::check;

namespace {

/// The fields that the specification leaves no choice about.
void check_fixed(const json& config, const json& rq, const std::string& name) {
  check(!config.value("fuse_per_layer", false), "{}: expected fuse_per_layer false", name);
  check(config.value("attn_dropout", 0.0) == 0, "{}: expected attn_dropout 0", name);
  check(config.value("ln_eps", 1e-5) == 1e-5, "{}: expected ln_eps 1e-5", name);
  check(rq.value("residual_detach", true), "{}: expected residual_detach true", name);
}

ace::RetrieverOptions options_of(const json& config) {
  ace::RetrieverOptions options;
  options.vocabulary = config.at("vocab");
  options.identifiers = config.at("id_vocab").get<std::vector<int64_t>>();
  options.decoder_layers = config.at("dec_layers");
  options.layer.width = config.at("d");
  options.layer.heads = config.at("heads");
  options.layer.inner = int64_t(config.at("ffn_mult").get<double>() * double(options.layer.width));
  options.layer.encoder_layers = config.at("enc_layers");
  const std::string gate = config.at("gate");
  check(gate == "swish" || gate == "sigmoid", "gate: expected swish or sigmoid, found {}", tensor::one_line(gate));
  options.layer.sigmoid_gate = gate == "sigmoid";
  return options;
}

}  // namespace

Folder::Folder(const std::filesystem::path& path)
    : model(tensor::read_safetensors(path / "model.safetensors")),
      rqvae(tensor::read_safetensors(path / "rqvae.safetensors")),
      values(tensor::read_safetensors(path / "values.safetensors")) {
  const json manifest =
      tensor::parse_json(tensor::read_file(path / "manifest.json"), (path / "manifest.json").string());
  const json &config = manifest.at("config"), &rq = manifest.at("rq_config");
  check_fixed(config, rq, path.filename().string());
  options = options_of(config);
  dropout = config.at("dropout");
  omega = config.at("omega");
  rq_sizes = rq.at("dims").get<std::vector<int64_t>>();
  rq_codebooks = rq.at("M");
  rq_entries = rq.at("N");
  alpha = rq.at("alpha");
  beta = rq.at("beta");
  read_texts(config.value("pad_id", int64_t(0)));
  identifiers = values.at("in.ids").to(DType::i32);
  all_identifiers = values.at("in.ids_all").to(DType::i32);
  read_masks(manifest.at("masks").get<std::vector<std::string>>());
}

void Folder::read_texts(int64_t pad) {
  const Tensor tokens = values.at("in.tok").to(DType::i32);
  padded = tokens.elements();
  for (int64_t b = 0; b < tokens.size(0); ++b) {
    std::vector<int32_t>& text = texts.emplace_back();
    for (int64_t t = 0; t < tokens.size(1); ++t) {
      const int64_t row = b * tokens.size(1) + t;
      const int32_t token = tokens.data<int32_t>()[row];
      if (token == pad) continue;
      check(int64_t(text.size()) == t, "in.tok: expected padding only at the end of row {}", b);
      text.push_back(token);
      real.push_back(row);
    }
  }
}

void Folder::read_masks(const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    const Tensor& mask = values.at(name);
    const bool of_tokens = name.find(".enc.") != std::string::npos;
    masks.push_back(of_tokens ? pack<uint8_t>(*this, mask) : mask);
  }
}

}  // namespace oracle
