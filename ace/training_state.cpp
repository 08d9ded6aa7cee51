#include "ace/training_state.h"

#include <cmath>
#include <limits>

#include "tensor/json.h"

namespace ace {

using nlohmann::json;
using tensor::check;

std::string TrainingState::save(const nn::Parameters& parameters, const nn::Adam& adam) const {
  std::map<std::string, Tensor> tensors = nn::to_tensors(parameters);
  tensors.merge(adam.state());
  const kernels::LossScale progress = adam.progress();
  const json state = {{"step", step},
                      {"best_mrr", best_mrr},
                      {"best_step", best_step},
                      {"loss", loss},
                      {"loss_sum", loss_sum},
                      {"loss_steps", loss_steps},
                      {"adam_steps", progress.taken},
                      {"loss_scale", progress.scale},
                      {"good_steps", progress.good_steps},
                      {"skipped_steps", progress.skipped}};
  return tensor::safetensors_bytes(tensors, {{"state", state.dump()}});
}

namespace {

/// The numbers of a checkpoint, each checked as it is read.
class StateReader {
 public:
  StateReader(const json& state, const std::string& origin) : state_(state), origin_(origin) {}

  /// low ≥ 0
  int64_t integer(const char* name, int64_t low, int64_t high) const {
    const json& value = at(name);
    const int64_t x = value.is_number_integer() ? value.get<int64_t>() : -1;  // what is too large for it is below 0
    check(x >= low && x <= high, "{}: state: {}: expected an integer from {} to {}, found {}", origin_, name, low, high,
          text(value));
    return x;
  }
  double number(const char* name, double low, double high) const {
    const json& value = at(name);
    const double x = value.is_number() ? value.get<double>() : std::nan("");
    check(x >= low && x <= high, "{}: state: {}: expected a number from {} to {}, found {}", origin_, name, low, high,
          text(value));
    return x;
  }

 private:
  const json& at(const char* name) const {
    check(state_.is_object() && state_.contains(name), "{}: state: expected \"{}\", found none", origin_, name);
    return state_[name];
  }
  static std::string text(const json& value) { return tensor::one_line(value.dump(), 40); }
  const json& state_;
  const std::string& origin_;
};

}  // namespace

TrainingState TrainingState::load(const std::filesystem::path& file, int64_t total, const nn::Parameters& parameters,
                                  nn::Adam& adam) {
  tensor::Safetensors stored = tensor::read_safetensors(file);
  const auto found = stored.metadata.find("state");
  check(found != stored.metadata.end(), "{}: expected metadata \"state\", found none", stored.origin);
  const json state = tensor::parse_json(found->second, stored.origin + ": state");
  const StateReader read(state, stored.origin);
  constexpr double any = std::numeric_limits<double>::max();
  TrainingState result;
  result.step = read.integer("step", 0, total);
  result.best_mrr = read.number("best_mrr", -1, 1);
  check(result.best_mrr == -1 || result.best_mrr >= 0, "{}: state: best_mrr: expected -1 or 0 to 1, found {}",
        stored.origin, result.best_mrr);
  result.best_step = read.integer("best_step", 0, result.step);
  result.loss = read.number("loss", -any, any);
  result.loss_sum = read.number("loss_sum", -any, any);
  result.loss_steps = read.integer("loss_steps", 0, result.step);
  kernels::LossScale progress = adam.progress();
  const bool scales = progress.least < progress.most;  // without it no step is skipped
  progress.scale = read.number("loss_scale", progress.least, progress.most);
  progress.good_steps = read.integer("good_steps", 0, progress.patience - 1);
  progress.skipped = read.integer("skipped_steps", 0, scales ? result.step : 0);
  progress.taken = read.integer("adam_steps", result.step - progress.skipped, result.step - progress.skipped);
  adam.load(stored, progress);
  std::erase_if(stored.tensors, [](const auto& entry) {
    return entry.first.starts_with("first.") || entry.first.starts_with("second.");
  });
  nn::load(parameters, stored);
  return result;
}

}  // namespace ace
