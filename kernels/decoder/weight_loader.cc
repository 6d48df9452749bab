#include "decoder/weight_loader.h"

#include <algorithm>
#include <cstring>

#include "decoder/errors.h"
#include "decoder/finite_check.h"
#include "quant/api.h"

namespace longview::decoder {

namespace {

constexpr int kSlabElements = 8 << 20;
constexpr size_t kSlabBytes = sizeof(float) * kSlabElements;  // of the widest format

/// Slabs start at multiples of this many rows: then they are aligned to 16 bytes in every format,
/// and a row map's blocks stay whole.
constexpr int kSlabRowMultiple = 256;

float float_of_bits(uint32_t bits) {
  float value;
  std::memcpy(&value, &bits, sizeof(value));
  return value;
}

/// IEEE half precision; denormals, infinities and NaN included.
float float_of_half(uint16_t half) {
  const uint32_t sign = uint32_t{half & 0x8000u} << 16;
  const uint32_t exponent = half >> 10 & 0x1fu;
  const uint32_t fraction = half & 0x3ffu;
  if (exponent == 0) {
    const float magnitude = static_cast<float>(fraction) / (1 << 24);
    return sign == 0 ? magnitude : -magnitude;
  }
  const uint32_t wide = exponent == 31 ? 255u : exponent + 112u;
  return float_of_bits(sign | wide << 23 | fraction << 13);
}

void write_fp32(const std::byte* source, quant::BlockFormat format, int count, float* out) {
  if (format == quant::BlockFormat::kF32) {
    std::memcpy(out, source, sizeof(float) * count);
    return;
  }
  for (int i = 0; i < count; ++i) {
    uint16_t bits;
    std::memcpy(&bits, source + 2 * i, sizeof(bits));
    out[i] = format == quant::BlockFormat::kBf16 ? float_of_bits(uint32_t{bits} << 16)
                                                 : float_of_half(bits);
  }
}

}  // namespace

WeightLoader::WeightLoader(const ModelFiles& files, const std::function<void(double)>& on_progress,
                           const std::function<bool()>& should_stop)
    : files_(files), on_progress_(on_progress), should_stop_(should_stop) {
  for (Slab& slab : slabs_) {
    slab.host = PinnedBuffer<std::byte>(kSlabBytes);
    slab.stored = DeviceBuffer<std::byte>(kSlabBytes + 16);
    slab.bf16 = DeviceBuffer<uint16_t>(kSlabElements);
    slab.is_free.record(stream_);
  }
}

void WeightLoader::expect(const WeightLayout& layout) {
  size_t tensors = 3;
  const auto add = [&](const PlacedTensor& placed) {
    if (placed.tensor.rows == 0) return;  // a tensor that this family does not have
    expected_bytes_ += size_bytes(placed.tensor);
    ++tensors;
  };
  add(layout.embedding);
  if (layout.head.tensor.name != layout.embedding.tensor.name) add(layout.head);
  for (const LayerLayout& layer : layout.layers) {
    for (const PlacedTensor& part : layer.parts) add(part);
    for (const PlacedTensor& bias : layer.qkv_bias) add(bias);
    for (const PlacedTensor* norm : {&layer.attention_norm, &layer.feed_forward_norm,
                                     &layer.query_norm, &layer.key_norm}) {
      add(*norm);
    }
  }
  has_nonfinite_ = PinnedBuffer<int32_t>(tensors);
  std::fill_n(has_nonfinite_.data(), tensors, 0);
}

void WeightLoader::copy(const PlacedTensor& placed, std::byte* memory) {
  const TensorEntry& tensor = placed.tensor;
  const size_t row_bytes = quant::row_bytes(tensor.format, tensor.columns);
  const int rows_at_once = slab_rows(tensor);
  checked_.push_back(tensor.name);
  for (int row = 0; row < tensor.rows; row += rows_at_once) {
    const int rows = std::min(rows_at_once, tensor.rows - row);
    Slab& slab = next_slab();
    send(tensor, row, rows, slab);
    LONGVIEW_CUDA(cudaMemcpyAsync(memory + placed.offset + row * row_bytes, slab.stored.data(),
                                  rows * row_bytes, cudaMemcpyDeviceToDevice, stream_.get()));
    check_slab(tensor, rows, slab);
  }
}

void WeightLoader::copy_vector(const PlacedTensor& placed, std::byte* memory) {
  const TensorEntry& stored = placed.tensor;
  TensorEntry fp32 = stored;
  fp32.format = quant::BlockFormat::kF32;
  checked_.push_back(stored.name);
  Slab& slab = next_slab();
  write_fp32(stored_rows(stored, 0, 1), stored.format, stored.columns,
             reinterpret_cast<float*>(slab.host.data()));
  send_slab(size_bytes(fp32), size_bytes(stored), slab);
  LONGVIEW_CUDA(cudaMemcpyAsync(memory + placed.offset, slab.stored.data(), size_bytes(fp32),
                                cudaMemcpyDeviceToDevice, stream_.get()));
  check_slab(fp32, 1, slab);
}

void WeightLoader::dequantize(const TensorEntry& tensor, std::byte* destination,
                              const quant::RowMap& row_map) {
  const int rows_at_once = slab_rows(tensor);
  checked_.push_back(tensor.name);
  for (int row = 0; row < tensor.rows; row += rows_at_once) {
    const int rows = std::min(rows_at_once, tensor.rows - row);
    Slab& slab = next_slab();
    send(tensor, row, rows, slab);
    quant::DequantizeParams params{};
    params.source = {slab.stored.data(), tensor.format, rows, tensor.columns};
    params.destination = destination;
    params.destination_stride = tensor.columns;
    params.row_map = {row_map.block, row_map.step, row_map(row)};
    quant::dequantize(params, stream_.get());
    check_slab(tensor, rows, slab);
  }
}

void WeightLoader::finish() {
  stream_.synchronize();
  for (size_t tensor = 0; tensor < checked_.size(); ++tensor) {
    if (has_nonfinite_.data()[tensor] == 0) continue;
    throw ModelError("the tensor " + checked_[tensor] + " holds NaN or infinities");
  }
}

WeightLoader::Slab& WeightLoader::next_slab() {
  if (should_stop_()) {
    stream_.synchronize();
    throw CancelledError();
  }
  Slab& slab = slabs_[turn_];
  turn_ = (turn_ + 1) % static_cast<int>(slabs_.size());
  slab.is_free.synchronize();
  return slab;
}

const std::byte* WeightLoader::stored_rows(const TensorEntry& tensor, int first_row,
                                           int rows) const {
  const size_t row_bytes = quant::row_bytes(tensor.format, tensor.columns);
  const size_t bytes = rows * row_bytes;
  const size_t start = tensor.offset_bytes + first_row * row_bytes;
  if (tensor.file < 0 || static_cast<size_t>(tensor.file) >= files_.size()) {
    throw ModelError("the tensor " + tensor.name + " lies in a file that is not there");
  }
  const MappedFile& file = files_[tensor.file];
  if (start > file.size_bytes() || bytes > file.size_bytes() - start) {
    throw ModelError("the model file ends within the tensor " + tensor.name);
  }
  return file.data() + start;
}

void WeightLoader::send(const TensorEntry& tensor, int first_row, int rows, Slab& slab) {
  const size_t bytes = rows * quant::row_bytes(tensor.format, tensor.columns);
  std::memcpy(slab.host.data(), stored_rows(tensor, first_row, rows), bytes);
  send_slab(bytes, bytes, slab);
}

/// Sends the first `bytes` bytes of the slab, which are `file_bytes` of the file.
void WeightLoader::send_slab(size_t bytes, size_t file_bytes, Slab& slab) {
  LONGVIEW_CUDA(cudaMemcpyAsync(slab.stored.data(), slab.host.data(), bytes,
                                cudaMemcpyHostToDevice, stream_.get()));
  sent_bytes_ += file_bytes;
  on_progress_(expected_bytes_ == 0 ? 1.0 : static_cast<double>(sent_bytes_) / expected_bytes_);
}

/// Marks the tensor where the slab's values are not finite, then frees the slab.
void WeightLoader::check_slab(const TensorEntry& tensor, int rows, Slab& slab) {
  quant::DequantizeParams params{};
  params.source = {slab.stored.data(), tensor.format, rows, tensor.columns};
  params.destination = slab.bf16.data();
  params.destination_stride = tensor.columns;
  quant::dequantize(params, stream_.get());
  mark_nonfinite(slab.bf16.data(), int64_t{rows} * tensor.columns,
                 has_nonfinite_.data() + checked_.size() - 1, stream_.get());
  slab.is_free.record(stream_);
}

int WeightLoader::slab_rows(const TensorEntry& tensor) const {
  if (int64_t{tensor.rows} * tensor.columns <= kSlabElements) return tensor.rows;
  return std::max(1, kSlabElements / tensor.columns / kSlabRowMultiple) * kSlabRowMultiple;
}

}  // namespace longview::decoder
