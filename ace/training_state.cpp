#include "ace/training_state.h"

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

TrainingState TrainingState::load(const std::filesystem::path& file, const nn::Parameters& parameters, nn::Adam& adam) {
  tensor::Safetensors stored = tensor::read_safetensors(file);
  const auto found = stored.metadata.find("state");
  check(found != stored.metadata.end(), "{}: expected metadata \"state\", found none", stored.origin);
  const json state = tensor::parse_json(found->second, stored.origin + ": state");
  TrainingState result;
  try {
    result = {state.at("step"), state.at("best_mrr"), state.at("best_step"),
              state.at("loss"), state.at("loss_sum"), state.at("loss_steps")};
    kernels::LossScale progress = adam.progress();
    progress.taken = state.at("adam_steps"), progress.scale = state.at("loss_scale");
    progress.good_steps = state.at("good_steps"), progress.skipped = state.at("skipped_steps");
    adam.load(stored, progress);
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
