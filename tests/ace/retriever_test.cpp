#include "ace/retriever.h"

#include <gtest/gtest.h>

#include <set>

#include "ace/rqvae.h"

namespace ace {
namespace {

using Names = std::set<std::string>;

template <class Module>
Names names_of(const Module& module) {
  Names names;
  for (const auto& p : nn::parameters(module)) {
    EXPECT_TRUE(names.insert(p.name + " " + p.variable.shape().text()).second) << p.name << " twice";
  }
  return names;
}

void add_linear(Names& names, const std::string& name, int64_t out, int64_t in) {
  names.insert(fmt::format("{}.weight [{}, {}]", name, out, in));
  names.insert(fmt::format("{}.bias [{}]", name, out));
}
void add_norm(Names& names, const std::string& name, int64_t width) {
  for (const char* part : {"weight", "bias"}) names.insert(fmt::format("{}.{} [{}]", name, part, width));
}
void add_attention(Names& names, const std::string& name, int64_t d) {
  for (const char* part : {"query", "key", "value", "output"}) add_linear(names, name + "." + part, d, d);
}

constexpr int64_t d = 8, inner = 32, vocabulary = 11;
const std::vector<int64_t> identifiers = {5, 1, 3};

Retriever retriever(bool fusion, bool shared) {
  RetrieverOptions options{vocabulary, identifiers, 2, {d, 2, inner, 3, false, shared, fusion}};
  nn::Initializer init(1);
  return Retriever(options, init);
}

/// The table of the file format, spelled out; `attentions` are the decoder's to the text.
Names expected(const std::vector<std::string>& attentions, bool fusion) {
  Names names = {"encoder.embedding.weight [11, 8]", "decoder.embedding.weight [10, 8]"};
  for (const std::string l : {"0", "1", "2"}) {
    const std::string layer = "encoder.layers." + l;
    add_attention(names, layer + ".attention", d);
    for (const char* norm : {".attention_norm", ".feed_forward_norm"}) add_norm(names, layer + norm, d);
    add_linear(names, layer + ".feed_forward.up", inner, d);
    add_linear(names, layer + ".feed_forward.down", d, inner);
  }
  if (fusion) add_linear(names, "fusion", d, 3 * d);
  for (const std::string l : {"0", "1"}) {
    const std::string layer = "decoder.layers." + l;
    add_attention(names, layer + ".self_attention", d);
    for (const std::string& attention : attentions) add_attention(names, layer + "." + attention, d);
    for (const char* gate : {".gates.0", ".gates.1", ".gates.2"}) {
      if (fusion) add_linear(names, layer + gate, d, 2 * d);
    }
    for (const char* norm : {".self_attention_norm", ".fusion_norm", ".feed_forward_norm"}) {
      add_norm(names, layer + norm, d);
    }
    add_linear(names, layer + ".feed_forward.up", inner, d);
    add_linear(names, layer + ".feed_forward.down", d, inner);
  }
  for (size_t p = 0; p < identifiers.size(); ++p) add_linear(names, fmt::format("heads.{}", p), identifiers[p], d);
  return names;
}

TEST(Retriever, OwnsTheTensorsOfTheFileFormat) {
  EXPECT_EQ(names_of(retriever(true, false)), expected({"coarse_attention", "fine_attention"}, true));
}

TEST(Retriever, HasOneCrossAttentionWhenCoarseAndFineShareIt) {
  EXPECT_EQ(names_of(retriever(true, true)), expected({"cross_attention"}, true));
}

TEST(Retriever, HasNoGatesAndNoFusionWithoutFusion) {
  EXPECT_EQ(names_of(retriever(false, false)), expected({"cross_attention"}, false));
}

TEST(RqVae, OwnsTheTensorsOfTheFileFormat) {
  nn::Initializer init(1);
  const RqVae model({10, 8, 6, 4, 3}, 2, 7, init);
  Names names = {"codebooks.0 [7, 3]", "codebooks.1 [7, 3]"};
  const std::vector<int64_t> sizes = {10, 8, 6, 4, 3};
  for (size_t i = 0; i < 4; ++i) {
    add_linear(names, fmt::format("encoder.{}", i), sizes[i + 1], sizes[i]);
    add_linear(names, fmt::format("decoder.{}", i), sizes[3 - i], sizes[4 - i]);
  }
  EXPECT_EQ(names_of(model), names);
}

}  // namespace
}  // namespace ace
