#include "ace/retriever.h"

#include <gtest/gtest.h>

#include <set>

#include "tests/ace/tiny.h"

namespace ace {
namespace {

using Names = std::set<std::string>;
using Row = std::vector<int32_t>;
using tensor::DType;
using tensor::Shape;

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

TEST(Retriever, AStepWithCachesEqualsForwardOnThePrefix) {
  tensor::Random random(1);
  for (const bool fusion : {true, false}) {
    RetrieverOptions options = tiny::sizes({5, 4, 3, 6});
    options.layer.fusion = fusion;
    const Retriever model = tiny::retriever(options, 3, DType::f64);
    const std::vector<Row> queries = tiny::draw_queries(3, 6, random);
    const autograd::NoGrad inference;
    nn::Pass pass;
    const auto memory = model.encode(nn::TextBatch::pack(queries), pass);
    Retriever::Rows rows;
    rows.offsets = Tensor::of<int32_t>(Shape{4}, {0, 2, 3, 6});  // two, one and three rows a query
    std::vector<Row> ancestors;                                  // by position
    Retriever::State state;
    std::vector<Row> prefixes(6);
    for (int64_t level = 0; level < 4; ++level) {
      ancestors.push_back({0, 1, 2, 3, 4, 5});
      rows.ancestors = tensor::zeros(Shape{level + 1, 6}, DType::i32);
      for (size_t p = 0; p < ancestors.size(); ++p) {
        std::ranges::copy(ancestors[p], rows.ancestors.data<int32_t>() + 6 * p);
      }
      Row inputs(6, 0);
      for (size_t row = 0; level > 0 && row < 6; ++row) {
        inputs[row] = model.embedding_row(level - 1, prefixes[row].back());
      }
      rows.inputs = Tensor::of<int32_t>(Shape{6}, inputs);
      const Tensor logits = autograd::log_softmax(model.step(memory, rows, state)).value();
      for (size_t row = 0; row < 6; ++row) {
        const size_t query = row < 2 ? 0 : row < 3 ? 1 : 2;
        const std::vector<double> expected = tiny::next_log_p(model, queries[query], prefixes[row]);
        for (int64_t token = 0; token < logits.cols(); ++token) {
          EXPECT_NEAR(logits.data<double>()[int64_t(row) * logits.cols() + token], expected[size_t(token)], 1e-12);
        }
      }
      // Rows change places within their query, one of them twice and one not at all.
      const Row chosen{1, 1, 2, 5, 3, 5};
      for (Row& at : ancestors) {
        const Row before = at;
        for (size_t row = 0; row < 6; ++row) at[row] = before[size_t(chosen[row])];
      }
      std::vector<Row> next;
      for (const int32_t row : chosen) {
        next.push_back(prefixes[size_t(row)]);
        next.back().push_back(int32_t(random.below(options.identifiers[size_t(level)])));
      }
      prefixes = std::move(next);
    }
  }
}

}  // namespace
}  // namespace ace
