#include "kernels/cublaslt.h"

#ifndef ACE_SIMT
#include <dlfcn.h>

#include <cstdio>
#include <string>
#endif

namespace kernels {
namespace {

char missing[512] = "";

#ifdef ACE_SIMT
#define ACE_FIND(function) (&function)
#else
#define ACE_FIND(function) reinterpret_cast<decltype(&function)>(find(#function))

/// A function of the library, which is looked for in LD_LIBRARY_PATH, in the toolkit that this was built with (our run
/// path), and where the system has its own.
void* find(const char* function) {
  static void* const library = dlopen(("libcublasLt.so." + std::to_string(CUBLAS_VER_MAJOR)).c_str(), RTLD_LAZY);
  void* const found = library == nullptr ? nullptr : dlsym(library, function);
  if (found == nullptr && missing[0] == 0) std::snprintf(missing, sizeof missing, "no cublasLt: %s", dlerror());
  return found;
}
#endif

}  // namespace

const CublasLt& cublaslt() {
  static const CublasLt one{ACE_FIND(cublasLtCreate),
                            ACE_FIND(cublasLtGetStatusName),
                            ACE_FIND(cublasLtMatmulDescInit_internal),
                            ACE_FIND(cublasLtMatrixLayoutInit_internal),
                            ACE_FIND(cublasLtMatmulPreferenceInit_internal),
                            ACE_FIND(cublasLtMatmulDescSetAttribute),
                            ACE_FIND(cublasLtMatrixLayoutSetAttribute),
                            ACE_FIND(cublasLtMatmulPreferenceSetAttribute),
                            ACE_FIND(cublasLtMatmulAlgoGetHeuristic),
                            ACE_FIND(cublasLtMatmul)};
  return one;
}

const char* cublaslt_missing() {
  cublaslt();
  return missing[0] == 0 ? nullptr : missing;
}

}  // namespace kernels
