// One token through all layers.
#pragma once

#include "decoder/model.h"

namespace longview::decoder {

/// Enqueues a step that reads `workspace.step()` when it runs: takes the token in, writes its K and
/// V, chooses the next one into `workspace.host_sample()` and leaves in `workspace.step()` what the
/// step after it reads. Nothing of it depends on the token or the length, so it can be recorded
/// once.
void enqueue_decode_step(const Model& model, const Sequence& sequence);

}  // namespace longview::decoder
