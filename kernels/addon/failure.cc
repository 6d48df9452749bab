#include "addon/failure.h"

#include <cuda_runtime_api.h>

#include <stdexcept>

#include "common/cuda_error.h"
#include "decoder/errors.h"

namespace longview::addon {

namespace {

/// After a fault in a kernel every call fails with the fault's error, until the process ends. Want of
/// memory is no fault, even where there is too little to begin with the device at all.
std::string cuda_code(const CudaError& error) {
  cudaGetLastError();
  if (error.code() == cudaErrorMemoryAllocation) return "outOfMemory";
  return cudaDeviceSynchronize() == cudaSuccess ? "cuda" : "cudaFatal";
}

}  // namespace

Failure describe_failure(const std::exception_ptr& failure) {
  try {
    std::rethrow_exception(failure);
  } catch (const decoder::CancelledError& error) {
    return {"cancelled", error.what()};
  } catch (const decoder::ModelError& error) {
    return {"badModel", error.what()};
  } catch (const decoder::MemoryError& error) {
    return {"outOfMemory", error.what(), error.fitting_tokens()};
  } catch (const decoder::ContextError& error) {
    return {"contextTooLarge", error.what()};
  } catch (const decoder::NumericError& error) {
    return {"badNumbers", error.what()};
  } catch (const CudaError& error) {
    const std::string code = cuda_code(error);
    const std::string what = error.what();
    return {code, code == "outOfMemory" ? "the GPU has too little free memory: " + what : what};
  } catch (const std::invalid_argument& error) {
    return {"badArgument", error.what()};
  } catch (const std::exception& error) {
    return {"cuda", error.what()};
  }
}

Napi::Value make_error(Napi::Env env, const Failure& failure) {
  const Napi::Error error = Napi::Error::New(env, failure.message);
  error.Value().Set("code", failure.code);
  error.Value().Set("fittingTokens", failure.fitting_tokens);
  return error.Value();
}

}  // namespace longview::addon
