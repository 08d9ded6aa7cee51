#pragma once
#include <filesystem>
#include <map>
#include <string>

#include "tensor/tensor.h"

namespace tensor {

/// Named tensors and a little text, as stored in a `.safetensors` file.
struct Safetensors {
  std::map<std::string, Tensor> tensors;
  std::map<std::string, std::string> metadata;

  /// The tensor of that name; fails, naming file and tensor, when it is missing or of another shape.
  const Tensor& at(const std::string& name) const;
  const Tensor& at(const std::string& name, const Shape& shape) const;
  std::string origin;  ///< file name, for messages
};

/// Maps the file read-only. The header (at most 100 MiB of JSON) is parsed, never evaluated; unknown dtypes, offsets
/// that overlap, leave holes or run past the end, and products that overflow fail with one line.
Safetensors read_safetensors(const std::filesystem::path& path);
/// The bytes of the file: header padded to 8 bytes, then the tensors in the order of their names.
void write_safetensors(const std::filesystem::path& path, const std::map<std::string, Tensor>& tensors,
                       const std::map<std::string, std::string>& metadata = {});
std::string safetensors_bytes(const std::map<std::string, Tensor>& tensors,
                              const std::map<std::string, std::string>& metadata = {});

}  // namespace tensor
