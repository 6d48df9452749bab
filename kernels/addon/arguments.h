// JavaScript's arguments as the decoder's structures. Each throws Napi::TypeError for what is
// missing or of another type.
#pragma once

#include <napi.h>

#include <optional>
#include <vector>

#include "decoder/decoder.h"
#include "decoder/model_spec.h"
#include "decoder/weight_file.h"

namespace longview::addon {

/// From the server's ModelSpec.
decoder::ModelSpec model_spec(const Napi::Object& spec);

/// From [{ name, format, rows, columns, offsetBytes }].
std::vector<decoder::TensorEntry> tensor_entries(const Napi::Array& tensors);

/// From { path, contextTokens, chunkTokens, pooledKeys?, weights?, prefillPrecision?, kernels? }.
decoder::DecoderOptions decoder_options(const Napi::Object& request);

/// From { temperature, topP, topK, seed, candidates }.
decoder::SamplingRequest sampling_request(const Napi::Object& sampling);

/// From { selection, denseFromToken }, or none from undefined.
std::optional<decoder::SparseRequest> sparse_request(const Napi::Value& value);

int32_t integer_argument(const Napi::CallbackInfo& info, size_t index);

std::vector<uint8_t> bytes_argument(const Napi::CallbackInfo& info, size_t index);

}  // namespace longview::addon
