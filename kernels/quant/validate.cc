#include <cstdint>
#include <stdexcept>
#include <string>

#include "quant/api.h"

namespace longview::quant {

void validate(const WeightMatrix& weight, const char* name) {
  const auto require = [&](bool holds, const std::string& message) {
    if (!holds) throw std::invalid_argument(std::string(name) + ": " + message);
  };
  const BlockLayout layout = block_layout(weight.format);
  require(layout.elements > 0,
          "format " + std::to_string(static_cast<int>(weight.format)) + " is not known");
  require(weight.rows > 0 && weight.columns > 0,
          std::to_string(weight.rows) + " rows of " + std::to_string(weight.columns) + " columns");
  const int multiple = layout.elements > kColumnMultiple ? layout.elements : kColumnMultiple;
  require(weight.columns % multiple == 0, std::to_string(weight.columns) +
                                              " columns are not a multiple of " +
                                              std::to_string(multiple));
  require(weight.data != nullptr, "data is null");
  require(reinterpret_cast<uintptr_t>(weight.data) % kWeightAlignment == 0,
          "data is not aligned to 16 bytes");
}

}  // namespace longview::quant
