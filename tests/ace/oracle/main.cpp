#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

#include "checks.h"

namespace {

namespace fs = std::filesystem;
using oracle::DType;

/// Compares one folder in one precision and prints a line, and one more per disagreement. Whether all agreed.
bool compare(const oracle::Folder& folder, const std::string& name, DType type) {
  oracle::Comparison result(folder.values);
  const oracle::Check check{folder, result, type};
  for (const auto& [tensor, value] : folder.values.tensors) {
    if (tensor.starts_with("in.") || tensor.starts_with("train.mask.") || tensor == "rq.x") {
      result.skip(tensor, "inputs");
    }
  }
  oracle::check_retriever(check);
  oracle::check_search(check);
  oracle::check_rqvae(check);
  result.finish();
  fmt::print("{} {}: {} tensors compared, {} disagree; closest to its limit: {}\n", name, tensor::name_of(type),
             result.compared(), result.failures().size(), result.worst());
  for (const auto& [reason, count] : result.skipped()) fmt::print("  {} not compared: {}\n", count, reason);
  for (const std::string& failure : result.failures()) fmt::print("  FAILED {}\n", failure);
  return result.failures().empty();
}

bool compare(const fs::path& path) {
  const std::string name = tensor::one_line(path.filename().string());
  try {
    const oracle::Folder folder(path);
    const bool f64 = compare(folder, name, DType::f64), f32 = compare(folder, name, DType::f32);
    return f64 && f32;
  } catch (const std::exception& error) {
    fmt::print("{}: FAILED {}\n", name, error.what());
    return false;
  }
}

}  // namespace

/// Compares the model with every folder of $ACE_ORACLE_DIR, or of tests/oracle.
int main() {
  const char* given = std::getenv("ACE_ORACLE_DIR");
  const fs::path root = given && *given ? fs::path(given) : fs::path(ACE_SOURCE_DIR) / "tests" / "oracle";
  std::vector<fs::path> folders;
  try {
    for (const auto& entry : fs::directory_iterator(root)) {
      if (entry.is_directory() && fs::exists(entry.path() / "manifest.json")) folders.push_back(entry.path());
    }
  } catch (const std::exception& error) {
    fmt::print("FAILED {}\n", error.what());
    return 1;
  }
  std::sort(folders.begin(), folders.end());
  int failed = 0;
  for (const fs::path& folder : folders) failed += !compare(folder);
  fmt::print("{} folders in {}, {} failed\n", folders.size(), root.string(), failed);
  if (folders.empty()) fmt::print("FAILED nothing was compared: no folder there has a manifest.json\n");
  return failed > 0 || folders.empty() ? 1 : 0;
}
