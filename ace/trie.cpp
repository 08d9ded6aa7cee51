#include "ace/trie.h"

#include <bit>
#include <mutex>

#include "ace/trie_layout.h"
#include "tensor/transfer.h"

namespace ace {

struct Trie::There {
  std::once_flag once;
  tensor::Tensor bytes;
  std::vector<kernels::TreeLevel> levels;
};

Trie::Trie(std::span<const std::byte> bytes, std::shared_ptr<const void> owner, const std::string& origin)
    : bytes_(bytes), owner_(std::move(owner)), there_(std::make_shared<There>()) {
  const TrieLayout layout = parse_trie_header(bytes, origin);
  const TrieLayout::Places places = layout.places(int64_t(bytes.size()));
  levels_ = layout.levels_at(bytes.data(), places);
  items_ = reinterpret_cast<const int32_t*>(bytes.data() + places.items);
  leaves_ = layout.leaves;
}

Trie::Trie(const Identifiers& identifiers, std::span<const int32_t> pool, const std::string& origin) {
  TrieBytes built = build_trie(identifiers, pool, origin);
  *this = Trie(built.bytes, std::move(built.owner), origin);
}

std::span<const kernels::TreeLevel> Trie::levels_on(tensor::Device device) const {
  if (device == tensor::Device::cpu) return levels_;
  std::call_once(there_->once, [&] {
    there_->bytes = tensor::Tensor({int64_t(bytes_.size())}, tensor::DType::u8, device);
    tensor::transfer(there_->bytes.raw(), device, bytes_.data(), tensor::Device::cpu, int64_t(bytes_.size()));
    const auto* const copy = static_cast<const std::byte*>(there_->bytes.raw());
    const auto moved = [&](const void* here) -> const std::byte* {
      return here == nullptr ? nullptr : copy + (static_cast<const std::byte*>(here) - bytes_.data());
    };
    for (kernels::TreeLevel level : levels_) {
      level.first = reinterpret_cast<const uint32_t*>(moved(level.first));
      level.tokens = moved(level.tokens);
      there_->levels.push_back(level);
    }
  });
  return there_->levels;
}

Trie::Children Trie::children(int64_t level, int32_t node) const {
  const kernels::TreeLevel& at = levels_[size_t(level)];
  std::vector<uint64_t> mask(size_t(kernels::mask_words(at.vocabulary)));
  kernels::tree_masks(kernels::Cpu(), at, &node, mask.data(), 1);
  Children result{int32_t(at.first[node]), {}};
  for (size_t w = 0; w < mask.size(); ++w) {
    for (uint64_t left = mask[w]; left != 0; left &= left - 1) {
      result.tokens.push_back(int32_t(64 * w) + std::countr_zero(left));
    }
  }
  return result;
}

int32_t Trie::find(std::span<const int32_t> tokens) const {
  if (int64_t(tokens.size()) != positions()) return -1;
  int32_t node = 0;
  for (size_t j = 0; j < tokens.size() && node >= 0; ++j) node = kernels::tree_child(levels_[j], node, tokens[j]);
  return node < 0 ? -1 : item(node);
}

}  // namespace ace
