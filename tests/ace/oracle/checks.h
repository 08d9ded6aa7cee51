#pragma once
#include "comparison.h"
#include "folder.h"
#include "nn/module.h"

namespace oracle {

/// Which of a file's tensors a check speaks of, and how exactly.
struct Check {
  const Folder& folder;
  Comparison& result;
  DType type;
  Limits limit() const { return limits(type); }
  bool has(const std::string& name) const { return folder.values.tensors.contains(name); }
};

/// `eval.*`, `train.*`, `adam3.*`: passes, gradients and three steps of Adam of the retriever.
void check_retriever(const Check& check);
/// `beam*.*`, `free*.*`, `score_all`.
void check_search(const Check& check);
/// `rq.*`
void check_rqvae(const Check& check);

/// A retriever with the folder's weights.
ace::Retriever retriever(const Folder& folder, DType type);

/// Every parameter's gradient with `<prefix><parameter>`.
void compare_gradients(const Check& check, const std::string& prefix, const nn::Parameters& parameters);
/// Every parameter after three steps with `<prefix><parameter>`, where Adam's first step, which is rate · sign(g), is
/// well determined: where the gradient `<gradient_prefix><parameter>` exceeds 1e-4 of its maximum.
void compare_stepped(const Check& check, const std::string& prefix, const std::string& gradient_prefix,
                     const nn::Parameters& parameters);

}  // namespace oracle
