#include "decoder/kv_transfer.h"

#include <algorithm>
#include <stdexcept>
#include <string>

#include "common/kv_block.h"

namespace longview::decoder {

namespace {

void require_block(int start, int tokens) {
  if (start >= 0 && start % KV_BLOCK_TOKENS == 0 && tokens >= 1 && tokens <= KV_BLOCK_TOKENS)
    return;
  throw std::invalid_argument(std::to_string(tokens) + " tokens from token " +
                              std::to_string(start) +
                              " are not a block of the KV pool or its first part");
}

}  // namespace

std::vector<uint8_t> KvTransfer::fetch(const Sequence& sequence, int start, int tokens,
                                       const Stream& stream) {
  require_block(start, tokens);
  if (start + tokens > sequence.length_tokens) {
    throw std::invalid_argument("the KV of token " + std::to_string(start + tokens - 1) +
                                " was asked for, in a sequence of " +
                                std::to_string(sequence.length_tokens));
  }
  uint8_t* host = staging();
  pool_.copy_to_host(sequence.block_of(start), tokens, host, stream);
  stream.synchronize();
  return {host, host + pool_.host_bytes(tokens)};
}

void KvTransfer::require_appendable(const Sequence& sequence, int tokens,
                                    const std::vector<uint8_t>& kv) const {
  require_block(sequence.length_tokens, tokens);
  if (kv.size() == pool_.host_bytes(tokens)) return;
  throw std::invalid_argument(std::to_string(kv.size()) + " bytes are not the KV of " +
                              std::to_string(tokens) + " tokens");
}

void KvTransfer::append(Sequence& sequence, int tokens, const std::vector<uint8_t>& kv,
                        const Stream& stream) {
  sequence.reserve(sequence.length_tokens + tokens, stream);
  uint8_t* host = staging();
  std::copy(kv.begin(), kv.end(), host);
  pool_.copy_from_host(sequence.block_of(sequence.length_tokens), tokens, host, stream);
  stream.synchronize();
  sequence.length_tokens += tokens;
}

uint8_t* KvTransfer::staging() {
  if (staging_.count() == 0) staging_ = PinnedBuffer<uint8_t>(pool_.host_bytes(KV_BLOCK_TOKENS));
  return staging_.data();
}

}  // namespace longview::decoder
