// Brings tensors from mapped files to the device: through page-locked memory, in slabs, while the
// device still works on the slab before.
#pragma once

#include <array>
#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "common/device_buffer.h"
#include "common/pinned_buffer.h"
#include "common/stream.h"
#include "decoder/weight_file.h"
#include "decoder/weight_layout.h"
#include "quant/row_map.h"

namespace longview::decoder {

class WeightLoader {
 public:
  WeightLoader(const ModelFiles& files, const std::function<void(double)>& on_progress,
               const std::function<bool()>& should_stop);

  /// What progress is a fraction of.
  void expect(const WeightLayout& layout);

  /// Copies a tensor as stored to its offset in `memory`.
  void copy(const PlacedTensor& placed, std::byte* memory);

  /// Copies a norm or bias as fp32 to its offset in `memory`.
  void copy_vector(const PlacedTensor& placed, std::byte* memory);

  /// Writes a matrix as bf16, row r to row `row_map(r)` of `destination`, whose rows are as long.
  void dequantize(const TensorEntry& tensor, std::byte* destination,
                  const quant::RowMap& row_map);

  /// Waits until everything has arrived.
  /// @throws ModelError naming the first tensor that holds NaN or infinities.
  void finish();

 private:
  struct Slab {
    PinnedBuffer<std::byte> host;
    DeviceBuffer<std::byte> stored;
    DeviceBuffer<uint16_t> bf16;  // what is checked for NaN
    Event is_free;
  };

  /// @throws ModelError where the file ends before the rows do.
  const std::byte* stored_rows(const TensorEntry& tensor, int first_row, int rows) const;
  Slab& next_slab();
  void send(const TensorEntry& tensor, int first_row, int rows, Slab& slab);
  void send_slab(size_t bytes, size_t file_bytes, Slab& slab);
  void check_slab(const TensorEntry& tensor, int rows, Slab& slab);
  int slab_rows(const TensorEntry& tensor) const;

  const ModelFiles& files_;
  const std::function<void(double)>& on_progress_;
  const std::function<bool()>& should_stop_;
  Stream stream_;
  std::array<Slab, 2> slabs_;
  int turn_ = 0;
  size_t expected_bytes_ = 0;
  size_t sent_bytes_ = 0;
  std::vector<std::string> checked_;         // names, in the order of their flags
  PinnedBuffer<int32_t> has_nonfinite_;      // [tensors], written by the device
};

}  // namespace longview::decoder
