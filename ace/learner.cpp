#include "ace/learner.h"

namespace ace {

using tensor::Device;
using tensor::DType;
using tensor::Shape;

std::array<Tensor, 7> Learner::Given::parts() const {
  const nn::TextBatch& text = pairs.text;
  return {text.tokens, text.sequences.offsets, text.sequences.positions, pairs.inputs, pairs.targets, key, rate};
}

Learner::Learner(const Retriever& model, const Options& options)
    : model_(model), options_(options), adam_(nn::parameters(model), options.adam) {}

void Learner::prepare(std::span<const std::vector<int32_t>> texts, const Tensor& identifiers, uint64_t number,
                      double rate) {
  prepared_.push_back({pairs_of(model_, texts, identifiers, options_.omega > 0),
                       autograd::key_tensor({options_.seed, number}), tensor::full(Shape{1}, DType::f64, rate)});
  if (model_.device() != Device::cpu) feed_.send(prepared_.back().parts());
}

Learner::Form& Learner::receive() {
  constexpr size_t most = 64;  // forgotten when there are more
  tensor::check(!prepared_.empty(), "learner: no pairs were prepared");
  const Given given = std::move(prepared_.front());
  prepared_.pop_front();
  const Device device = model_.device();
  const nn::Sequences& sequences = given.pairs.text.sequences;
  // On the CPU there is nothing to be kept for the next batch of a form.
  const std::array<int64_t, 3> key = device == Device::cpu
                                         ? std::array<int64_t, 3>{}
                                         : std::array{sequences.count(), sequences.rows(), sequences.longest};
  if (forms_.size() == most && !forms_.contains(key)) forms_.clear();
  std::unique_ptr<Form>& form = forms_[key];
  if (!form) form = std::make_unique<Form>(device);
  if (device == Device::cpu) return form->given = given, *form;
  if (!form->numbers.block().defined()) {
    const auto parts = given.parts();
    form->numbers = tensor::Bundle(parts, device);
    const tensor::Bundle& there = form->numbers;
    form->given = {{{there[0], {there[1], there[2], sequences.longest}, given.pairs.text.dead}, there[3], there[4]},
                   there[5],
                   there[6]};
  }
  feed_.receive(form->numbers);
  return *form;
}

Tensor Learner::add_gradients(const Given& given, double share) {
  nn::Pass pass(options_.dropout, given.key);
  const Variable loss = objective(model_, given.pairs, options_.omega, pass).loss;
  loss.backward(adam_.loss_gradient(loss.value(), share));
  return loss.value();
}

Tensor Learner::step() {
  Form& form = receive();
  form.graph.run([&] {
    form.loss = add_gradients(form.given, 1);
    adam_.step(form.given.rate, options_.clip);
  });
  return form.loss;
}

Tensor Learner::add(double share) { return add_gradients(receive().given, share); }

}  // namespace ace
