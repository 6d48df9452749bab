// The tensors of a model's files on disk. Their headers were read by the caller; this maps the data.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "quant/block_format.h"

namespace longview::decoder {

/// A file in the address space, read only.
class MappedFile {
 public:
  /// @throws ModelError when it cannot be opened or mapped, with the system's reason.
  explicit MappedFile(const std::string& path);
  MappedFile(MappedFile&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)),
        size_bytes_(std::exchange(other.size_bytes_, 0)) {}
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  ~MappedFile();

  const std::byte* data() const { return data_; }
  size_t size_bytes() const { return size_bytes_; }

 private:
  const std::byte* data_ = nullptr;
  size_t size_bytes_ = 0;
};

/// The files of a model, one or several parts, in the order in which tensors name them.
using ModelFiles = std::vector<MappedFile>;

/// @throws ModelError as MappedFile does.
ModelFiles map_files(const std::vector<std::string>& paths);

/// Where a tensor lies: `[rows, columns]`, the rows of a vector being 1.
struct TensorEntry {
  std::string name;
  quant::BlockFormat format;
  int rows;
  int columns;
  uint64_t offset_bytes;  // from the start of its file
  int file = 0;
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
