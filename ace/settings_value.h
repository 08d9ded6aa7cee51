#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "ace/settings.h"

/// What the two ways into Settings share: an assignment on the command line and a TOML file.
namespace ace {

using SettingValue = std::variant<int64_t, double, bool, std::string, std::vector<int64_t>>;

/// Fails with the nearest valid name.
const Setting& find_setting(std::string_view name);
/// Checks type, range and choices, then stores the value; an integer may stand for a number. Fails with what was
/// expected.
void assign(Settings& settings, const Setting& setting, SettingValue value);
std::string value_text(const SettingValue& value);

}  // namespace ace
