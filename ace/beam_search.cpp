#include "ace/beam_search.h"

#include <algorithm>

#include "kernels/beam_step.h"
#include "tensor/graph.h"

namespace ace {

using tensor::DType;
using tensor::Shape;

namespace {

/// The kept prefixes of all queries, on the model's device: memory for kernels::BeamRows, which says what it holds.
struct Prefixes {
  Prefixes(int64_t queries, int64_t width, int64_t length, tensor::Device device)
      : queries(queries),
        width(width),
        length(length),
        score(Shape{queries * width}, DType::f64, device),
        rank(Shape{queries * width}, DType::i32, device),
        alive(Shape{queries}, DType::i32, device),
        tokens(Shape{length, queries * width}, DType::i32, device),
        rows{Tensor(Shape{queries * width}, DType::i32, device), Tensor(Shape{queries + 1}, DType::i32, device),
             Tensor(Shape{length + 1, queries * width}, DType::i32, device)} {}

  int64_t queries, width, length;
  Tensor score, rank, alive, tokens;
  Retriever::Rows rows;

  kernels::BeamRows view() const {
    return {queries,
            width,
            length,
            score.data<double>(),
            rank.data<int32_t>(),
            alive.data<int32_t>(),
            tokens.data<int32_t>(),
            rows.ancestors.data<int32_t>(),
            rows.inputs.data<int32_t>(),
            rows.offsets.data<int32_t>()};
  }
};

/// The empty prefix, once for each query.
Prefixes start(int64_t queries, tensor::Device device) {
  const Prefixes none(queries, 1, 0, device);
  tensor::dispatch(tensor::TypeList<double>(), none.score,
                   [&](auto backend, auto) { kernels::beam_start(backend, none.view()); });
  return none;
}

/// One step: the best extensions of every query, as many as `to` has room for, by the level's tokens or, without a
/// tree, by all.
void extend(const Prefixes& from, const Tensor& logits, const kernels::TreeLevel& level, int32_t first_input,
            const Prefixes& to) {
  static_assert(sizeof(kernels::Extension) == 3 * sizeof(double));
  const Tensor found(Shape{from.queries, to.width, 3}, DType::f64, logits.device());
  tensor::dispatch(tensor::floating, logits, [&](auto backend, auto type) {
    using T = decltype(type);
    const kernels::BeamRows before = from.view(), after = to.view();
    const kernels::Beams<T> beams{logits.data<T>(), before.score, before.rank,   before.alive,
                                  from.queries,     from.width,   logits.cols(), level};
    auto* const extensions = reinterpret_cast<kernels::Extension*>(found.data<double>());
    kernels::top_k(backend, beams, to.width, extensions, after.alive);
    kernels::beam_step(backend, before, extensions, level, first_input, after);
  });
}

/// What a search finds: the prefixes of all positions, and how many were alive after each.
struct Found {
  explicit Found(const tensor::Bundle& numbers)
      : score(numbers[0]), rank(numbers[1]), tokens(numbers[2]), alive(numbers[3]) {}
  static tensor::Bundle room(int64_t queries, int64_t width, int64_t length, tensor::Device device) {
    const int64_t rows = queries * width;
    const Tensor like[] = {Tensor(Shape{rows}, DType::f64), Tensor(Shape{rows}, DType::i32),
                           Tensor(Shape{length, rows}, DType::i32), Tensor(Shape{length, queries}, DType::i32)};
    return tensor::Bundle(like, device);
  }
  Tensor score, rank, tokens, alive;
};

/// Final list of one query, ties by smaller item.
std::vector<Hypothesis> finish(const Found& found, int64_t query, const Trie& trie, bool constrained) {
  const int64_t length = found.tokens.size(0), rows = found.tokens.size(1), queries = found.alive.size(1);
  std::vector<Hypothesis> result;
  for (int64_t i = 0; i < found.alive.data<int32_t>()[(length - 1) * queries + query]; ++i) {
    const int64_t row = query * (rows / queries) + i;
    Hypothesis& hypothesis = result.emplace_back(found.score.data<double>()[row]);
    for (int64_t j = 0; j < length; ++j) hypothesis.tokens.push_back(found.tokens.data<int32_t>()[j * rows + row]);
    hypothesis.item = constrained ? trie.item(found.rank.data<int32_t>()[row]) : trie.find(hypothesis.tokens);
  }
  std::stable_sort(result.begin(), result.end(), [](const Hypothesis& a, const Hypothesis& b) {
    if (a.score != b.score) return a.score > b.score;
    return uint32_t(a.item) < uint32_t(b.item);  // −1, no item, last
  });
  return result;
}

void check_fit(const Retriever& model, const Trie& trie, int64_t beam) {
  tensor::check(beam >= 1, "beam search: expected a beam of at least 1, found {}", beam);
  tensor::check(model.device() == tensor::Device::cpu || beam <= kernels::top_k_most,
                "beam search: expected a beam of at most {} on a GPU, found {}", kernels::top_k_most, beam);
  tensor::check(trie.positions() == model.positions(),
                "beam search: expected identifiers of {} positions, as the model has, found {}", model.positions(),
                trie.positions());
  for (int64_t j = 0; j < model.positions(); ++j) {
    const int64_t expected = model.options().identifiers[size_t(j)], found = trie.level(j).vocabulary;
    tensor::check(found == expected,
                  "beam search: expected a vocabulary of {} at position {}, as the model has, found {}", expected, j,
                  found);
  }
}

void check_numbers(const Tensor& alive) {
  for (int64_t position = 0; position < alive.size(0); ++position) {
    const Tensor here = alive.range(position, position + 1);
    tensor::check(std::ranges::none_of(here.values<int32_t>(), [](int32_t n) { return n < 0; }),
                  "beam search: the model's scores are not numbers at position {}: a weight is not finite, or so "
                  "large that sums overflow",
                  position);
  }
}

}  // namespace

/// Texts on the model's device, where they are written again for each search of this form, and what is found there.
struct BeamSearch::Form {
  explicit Form(tensor::Device device) : graph(device) {}
  tensor::Bundle numbers;
  nn::TextBatch text;
  tensor::Graph graph;
  tensor::Bundle found;
};

BeamSearch::BeamSearch(const Retriever& model, const Trie& trie) : model_(model), trie_(trie) {}
BeamSearch::~BeamSearch() = default;

/// The form of a padded batch, with its numbers.
BeamSearch::Form& BeamSearch::form_of(const nn::TextBatch& text, const BeamOptions& options) const {
  constexpr size_t most = 64;  // forgotten when there are more
  const std::array<int64_t, 5> key = {text.sequences.count(), text.sequences.rows(), text.sequences.longest,
                                      options.beam, options.constrained};
  if (forms_.size() == most && !forms_.contains(key)) forms_.clear();
  std::unique_ptr<Form>& form = forms_[key];
  const Tensor parts[] = {text.tokens, text.sequences.offsets, text.sequences.positions};
  if (!form) {
    form = std::make_unique<Form>(model_.device());
    form->numbers = tensor::Bundle(parts, model_.device());
    form->text = {form->numbers[0], {form->numbers[1], form->numbers[2], text.sequences.longest}, text.dead};
  }
  tensor::copy(form->numbers.block(), tensor::Bundle::of(parts).block());
  return *form;
}

/// The best of all positions, where the model is.
tensor::Bundle BeamSearch::decode(const nn::TextBatch& text, const BeamOptions& options) const {
  const autograd::NoGrad inference;
  nn::Pass pass;
  const tensor::Device device = model_.device();
  const Retriever::Memory memory = model_.encode(text, pass);
  std::vector<int64_t> widths;
  for (int64_t position = 0; position < model_.positions(); ++position) {
    const int64_t all = (position == 0 ? 1 : widths.back()) * model_.options().identifiers[size_t(position)];
    widths.push_back(std::min({options.beam, all, options.constrained ? trie_.nodes(position + 1) : all}));
  }
  const tensor::Bundle found = Found::room(memory.queries, widths.back(), model_.positions(), device);
  const Found last(found);
  Prefixes kept = start(memory.queries, device);
  Retriever::State state;
  const std::span<const kernels::TreeLevel> levels = trie_.levels_on(device);
  for (int64_t position = 0; position < model_.positions(); ++position) {
    const tensor::Range range(device, fmt::format("position {}", position));
    const Variable logits = model_.step(memory, kept.rows, state);
    const kernels::TreeLevel level = options.constrained ? levels[size_t(position)] : kernels::TreeLevel();
    Prefixes next(memory.queries, widths[size_t(position)], position + 1, device);
    next.alive = last.alive.range(position, position + 1).reshape({memory.queries});
    if (position + 1 == model_.positions()) next.score = last.score, next.rank = last.rank, next.tokens = last.tokens;
    extend(kept, logits.value(), level, model_.embedding_row(position, 0), next);
    kept = next;
  }
  return found;
}

std::vector<std::vector<Hypothesis>> BeamSearch::operator()(const nn::TextBatch& text,
                                                            const BeamOptions& options) const {
  check_fit(model_, trie_, options.beam);
  std::vector<std::vector<Hypothesis>> results(size_t(text.sequences.count() - text.dead));
  if (results.empty()) return results;
  tensor::Bundle numbers;
  if (model_.device() == tensor::Device::cpu) {
    numbers = decode(text, options);
  } else {
    const std::lock_guard lock(mutex_);
    trie_.levels_on(model_.device());
    Form& form = form_of(text.padded(), options);
    form.graph.run([&] { form.found = decode(form.text, options); });
    numbers = form.found.to(tensor::Device::cpu);
  }
  const Found found(numbers);
  check_numbers(found.alive);
  kernels::Cpu().parallel(int64_t(results.size()), 500 * options.beam, [&](int64_t begin, int64_t end) {
    for (int64_t q = begin; q < end; ++q) results[size_t(q)] = finish(found, q, trie_, options.constrained);
  });
  return results;
}

Tensor score_identifiers(const Retriever& model, const nn::TextBatch& text, const Tensor& identifiers) {
  const autograd::NoGrad inference;
  nn::Pass pass;
  const Retriever::Memory memory = model.encode(text, pass);
  const int64_t queries = memory.queries, items = identifiers.size(0), j = identifiers.size(1);
  Tensor scores = tensor::zeros(Shape{queries, items}, DType::f64);
  for (int64_t n = 0; n < items; ++n) {
    Tensor repeated(Shape{queries, j}, DType::i32);
    const int32_t* row = identifiers.data<int32_t>() + n * j;
    for (int64_t b = 0; b < queries; ++b) std::copy(row, row + j, repeated.data<int32_t>() + b * j);
    const std::vector<Variable> logits = model.forward(memory, repeated, pass);
    for (int64_t p = 0; p < j; ++p) {
      const Tensor log_p = autograd::log_softmax(logits[size_t(p)]).value().to(DType::f64);
      for (int64_t b = 0; b < queries; ++b) {
        scores.data<double>()[b * items + n] += log_p.data<double>()[b * log_p.cols() + row[p]];
      }
    }
  }
  return scores;
}

}  // namespace ace
