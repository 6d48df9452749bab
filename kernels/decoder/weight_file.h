// The tensors of a GGUF file on disk. Its header was read by the caller; this maps the data.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "quant/block_format.h"

namespace longview::decoder {

/// A file in the address space, read only.
class MappedFile {
 public:
  /// @throws ModelError when it cannot be opened or mapped, with the system's reason.
  explicit MappedFile(const std::string& path);
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  ~MappedFile();

  const std::byte* data() const { return data_; }
  size_t size_bytes() const { return size_bytes_; }

 private:
  const std::byte* data_ = nullptr;
  size_t size_bytes_ = 0;
};

/// Where a tensor lies: `[rows, columns]`, the rows of a vector being 1.
struct TensorEntry {
  std::string name;
  quant::BlockFormat format;
  int rows;
  int columns;
  uint64_t offset_bytes;  // from the start of the file
};

/// Tensors by name, without their data: what a plan needs.
class TensorTable {
 public:
  explicit TensorTable(std::vector<TensorEntry> entries);

  /// @throws ModelError when the tensor is missing or has another shape.
  const TensorEntry& require(const std::string& name, int rows, int columns) const;

 private:
  std::unordered_map<std::string, TensorEntry> entries_;
};

inline size_t size_bytes(const TensorEntry& tensor) {
  return static_cast<size_t>(tensor.rows) * quant::row_bytes(tensor.format, tensor.columns);
}

}  // namespace longview::decoder
