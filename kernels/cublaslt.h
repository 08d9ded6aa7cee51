#pragma once
#include <cublasLt.h>

/// cublasLt, loaded when it is first asked for: that takes a tenth of a second, and a program that was built for cards
/// must start where there is no such library. Only `.cu` files include this.
namespace kernels {

/// Its functions. The inline ones of NVIDIA's header call those named `…_internal`, with the size of what they fill.
struct CublasLt {
  decltype(&cublasLtCreate) create;
  decltype(&cublasLtGetStatusName) status_name;
  decltype(&cublasLtMatmulDescInit_internal) init_product;
  decltype(&cublasLtMatrixLayoutInit_internal) init_layout;
  decltype(&cublasLtMatmulPreferenceInit_internal) init_preference;
  decltype(&cublasLtMatmulDescSetAttribute) set_product;
  decltype(&cublasLtMatrixLayoutSetAttribute) set_layout;
  decltype(&cublasLtMatmulPreferenceSetAttribute) set_preference;
  decltype(&cublasLtMatmulAlgoGetHeuristic) choose;
  decltype(&cublasLtMatmul) multiply;
};

/// The process's; only where none is missing.
const CublasLt& cublaslt();
/// Why there is none, in one line, or null.
const char* cublaslt_missing();

}  // namespace kernels
