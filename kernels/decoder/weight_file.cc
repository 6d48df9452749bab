#include "decoder/weight_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "decoder/errors.h"

namespace longview::decoder {

namespace {

/// Closes a file descriptor at the end of its scope; a mapping outlives it.
class Descriptor {
 public:
  explicit Descriptor(const std::string& path) : number_(open(path.c_str(), O_RDONLY | O_CLOEXEC)) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (number_ >= 0) close(number_);
  }
  int number() const { return number_; }

 private:
  int number_;
};

[[noreturn]] void fail(const std::string& path) {
  throw ModelError("the model file " + path + " cannot be read: " + std::strerror(errno));
}

std::string shape_text(int rows, int columns) {
  return std::to_string(columns) + " x " + std::to_string(rows);
}

}  // namespace

MappedFile::MappedFile(const std::string& path) {
  const Descriptor file(path);
  struct stat status;
  if (file.number() < 0 || fstat(file.number(), &status) != 0) fail(path);
  size_bytes_ = static_cast<size_t>(status.st_size);
  if (size_bytes_ == 0) throw ModelError("the model file " + path + " is empty");
  void* mapping = mmap(nullptr, size_bytes_, PROT_READ, MAP_PRIVATE, file.number(), 0);
  if (mapping == MAP_FAILED) fail(path);
  madvise(mapping, size_bytes_, MADV_SEQUENTIAL);
  data_ = static_cast<const std::byte*>(mapping);
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) munmap(const_cast<std::byte*>(data_), size_bytes_);
}

ModelFiles map_files(const std::vector<std::string>& paths) {
  ModelFiles files;
  for (const std::string& path : paths) files.emplace_back(path);
  return files;
}

TensorTable::TensorTable(std::vector<TensorEntry> entries) {
  for (TensorEntry& entry : entries) {
    std::string name = entry.name;
    entries_.emplace(std::move(name), std::move(entry));
  }
}

const TensorEntry& TensorTable::require(const std::string& name, int rows, int columns) const {
  const auto found = entries_.find(name);
  if (found == entries_.end()) throw ModelError("the tensor " + name + " is missing");
  const TensorEntry& tensor = found->second;
  if (tensor.rows != rows || tensor.columns != columns) {
    throw ModelError("the tensor " + name + " has the shape " +
                     shape_text(tensor.rows, tensor.columns) + " instead of " +
                     shape_text(rows, columns));
  }
  const quant::BlockLayout layout = quant::block_layout(tensor.format);
  if (layout.elements == 0 || columns % layout.elements != 0) {
    throw ModelError("the tensor " + name + " has the format " +
                     std::to_string(static_cast<int>(tensor.format)) + " with rows of " +
                     std::to_string(columns) + ", which cannot be read");
  }
  return tensor;
}

}  // namespace longview::decoder
