#include "ace/training_state.h"

#include <cmath>

#include "tensor/json.h"

namespace ace {

using nlohmann::json;
using tensor::check;

std::string TrainingState::save(const nn::Parameters& parameters, const nn::Adam& adam) const {
  std::map<std::string, Tensor> tensors = nn::to_tensors(parameters);
  tensors.merge(adam.state());
  const json state = {{"step", step},         {"best_mrr", best_mrr},     {"best_step", best_step},    {"loss", loss},
                      {"loss_sum", loss_sum}, {"loss_steps", loss_steps}, {"adam_steps", adam.steps()}};
  return tensor::safetensors_bytes(tensors, {{"state", state.dump()}});
}

TrainingState TrainingState::load(const std::filesystem::path& file, const nn::Parameters& parameters, nn::Adam& adam) {
  tensor::Safetensors stored = tensor::read_safetensors(file);
  const auto found = stored.metadata.find("state");
  check(found != stored.metadata.end(), "{}: expected metadata \"state\", found none", stored.origin);
  const json state = tensor::parse_json(found->second, stored.origin + ": state");
  TrainingState result;
  try {
    result = {state.at("step"), state.at("best_mrr"), state.at("best_step"),
              state.at("loss"), state.at("loss_sum"), state.at("loss_steps")};
    adam.load(stored, state.at("adam_steps"));
  } catch (const json::exception& error) {
    tensor::fail("{}: state: {}", stored.origin, tensor::one_line(error.what()));
  }
  std::erase_if(stored.tensors, [](const auto& entry) {
    return entry.first.starts_with("first.") || entry.first.starts_with("second.");
  });
  nn::load(parameters, stored);
  return result;
}

}  // namespace ace
