// CUDA failures as exceptions.
#pragma once

#include <cuda_runtime_api.h>

#include <stdexcept>
#include <string>

namespace longview {

/// A CUDA call that failed. `code` is the runtime's (or driver's) number; `call`, `file` and `line`
/// say where.
class CudaError : public std::runtime_error {
 public:
  CudaError(int code, const std::string& description, const char* call, const char* file, int line)
      : std::runtime_error(description + " (error " + std::to_string(code) + " of " + call + " at " +
                           file + ":" + std::to_string(line) + ")"),
        code_(code),
        call_(call),
        file_(file),
        line_(line) {}

  int code() const { return code_; }
  const char* call() const { return call_; }
  const char* file() const { return file_; }
  int line() const { return line_; }

 private:
  int code_;
  const char* call_;
  const char* file_;
  int line_;
};

inline void check_cuda(cudaError_t status, const char* call, const char* file, int line) {
  if (status != cudaSuccess) {
    throw CudaError(status, cudaGetErrorString(status), call, file, line);
  }
}

}  // namespace longview

#define LONGVIEW_CUDA(call) ::longview::check_cuda((call), #call, __FILE__, __LINE__)
