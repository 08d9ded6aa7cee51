#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "ace/retriever.h"
#include "tensor/safetensors.h"

/// A test of the whole model against values that a separate implementation of it computed: one folder per model, whose
/// form tests/ace/oracle/README.md describes.
namespace oracle {

using tensor::DType;
using tensor::Shape;
using tensor::Tensor;

/// One folder, read and put into our form: queries packed, not padded.
struct Folder {
  explicit Folder(const std::filesystem::path& path);

  ace::RetrieverOptions options;
  double dropout = 0, omega = 0;
  std::vector<int64_t> rq_sizes;  ///< D, hidden …, latent
  int64_t rq_codebooks = 0, rq_entries = 0;
  double alpha = 1, beta = 0.25;

  tensor::Safetensors model, rqvae, values;
  std::vector<std::vector<int32_t>> texts;  ///< B
  std::vector<int64_t> real;                ///< rows of a padded [B · L] that hold a token
  int64_t padded = 0;                       ///< B · L
  Tensor identifiers, all_identifiers;      ///< i32 [B, J], [N, J]
  std::vector<Tensor> masks;                ///< u8, packed, in call order

  int64_t batch() const { return int64_t(texts.size()); }

 private:
  void read_texts(int64_t pad);
  void read_masks(const std::vector<std::string>& names);
};

/// Of x, whose first dimensions hold `copies` times B · L rows, those of real tokens: [copies · tokens, d].
template <class T>
Tensor pack(const Folder& folder, const Tensor& x) {
  const int64_t width = x.cols(), copies = x.rows() / folder.padded, tokens = int64_t(folder.real.size());
  tensor::check(copies * folder.padded == x.rows(), "expected a multiple of {} rows, found {}", folder.padded,
                x.shape());
  Tensor result(Shape{copies * tokens, width}, x.dtype());
  T* to = result.data<T>();
  for (int64_t copy = 0; copy < copies; ++copy) {
    for (const int64_t row : folder.real)
      to = std::copy_n(x.data<T>() + (copy * folder.padded + row) * width, width, to);
  }
  return result;
}

}  // namespace oracle
