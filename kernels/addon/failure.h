// C++ exceptions as JavaScript errors with a code.
#pragma once

#include <napi.h>

#include <exception>
#include <string>

namespace longview::addon {

struct Failure {
  /// `cancelled`, `badModel`, `outOfMemory`, `contextTooLarge`, `badNumbers`, `badArgument`, `cuda`,
  /// or `cudaFatal`: the process cannot use the device any more.
  std::string code;
  std::string message;
  int fitting_tokens = 0;  // with outOfMemory
};

/// On the thread that the failure happened on: asks the device whether it is still usable.
Failure describe_failure(const std::exception_ptr& failure);

/// An Error with the properties `code` and `fittingTokens`.
Napi::Value make_error(Napi::Env env, const Failure& failure);

}  // namespace longview::addon
