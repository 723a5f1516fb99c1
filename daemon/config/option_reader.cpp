#include <charconv>
#include <filesystem>

#include "base/suggest.hpp"
#include "config/option.hpp"

namespace godwit::config {
namespace {

std::optional<std::uint64_t> parse_digits(std::string_view text, int base = 10) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace

std::optional<std::size_t> parse_bytes(std::string_view text) {
  constexpr std::pair<std::string_view, int> kUnits[] = {{"KiB", 10}, {"MiB", 20}, {"GiB", 30}};
  int shift = 0;
  for (const auto& [unit, bits] : kUnits) {
    if (!text.ends_with(unit)) continue;
    shift = bits;
    text.remove_suffix(unit.size());
    while (text.ends_with(' ')) text.remove_suffix(1);
    break;
  }
  const auto number = parse_digits(text);
  if (!number || *number > (std::uint64_t{1} << 40) >> shift) return std::nullopt;
  return static_cast<std::size_t>(*number << shift);
}

base::Place OptionReader::place(const YamlNode& node, const std::string& path) const {
  return document_ ? document_->place(node, path) : base::Place{{}, 0, 0, path};
}

void OptionReader::problem(const YamlNode& node, const std::string& path, std::string what, std::string hint) {
  problems_.push_back({std::move(what), place(node, path), std::move(hint)});
}

void OptionReader::unknown(const YamlNode::Member& member, const std::string& path,
                           const std::vector<std::string>& known) {
  YamlNode key;
  key.line = member.line;
  key.column = member.column;
  problem(key, path, "unknown option '" + member.key + "'", base::suggest(member.key, known));
}

std::string OptionReader::absolute(const std::string& path) const {
  std::string result = (std::filesystem::path(directory_) / path).lexically_normal().string();
  if (result.size() > 1 && result.ends_with('/')) result.pop_back();
  return result;
}

std::string OptionReader::text(const YamlNode& node, const std::string& path) {
  if (node.kind == YamlNode::Kind::scalar) return node.is_null() ? std::string() : node.text;
  problem(node, path, "text is needed here, not " + kind_text(node));
  return {};
}

void OptionReader::require_path(const YamlNode& node, const std::string& path) {
  if (node.kind == YamlNode::Kind::scalar && (node.is_null() || node.text.empty()))
    problem(node, path, "the path is empty",
            "leave it out for the default; a variable that is not set makes an empty one");
}

std::string OptionReader::file_path(const YamlNode& node, const std::string& path) {
  require_path(node, path);
  return file_path_or_empty(node, path);
}

std::string OptionReader::file_path_or_empty(const YamlNode& node, const std::string& path) {
  const std::string value = text(node, path);
  return value.empty() ? value : absolute(value);
}

std::vector<std::string> OptionReader::texts(const YamlNode& node, const std::string& path) {
  std::vector<std::string> result;
  if (node.kind == YamlNode::Kind::list) {
    for (std::size_t i = 0; i < node.items.size(); ++i) result.push_back(text(node.items[i], base::below(path, i)));
  } else if (!node.is_null()) {
    problem(node, path, "a list is needed here, not " + kind_text(node));
  }
  return result;
}

std::vector<std::string> OptionReader::file_paths(const YamlNode& node, const std::string& path) {
  std::vector<std::string> result = texts(node, path);
  for (std::size_t i = 0; i < result.size(); ++i) {
    require_path(node.items[i], base::below(path, i));
    result[i] = absolute(result[i]);
  }
  return result;
}

int OptionReader::number(const YamlNode& node, const std::string& path, int least, int most) {
  const auto value = node.kind == YamlNode::Kind::scalar ? parse_digits(node.text) : std::nullopt;
  if (value && *value >= static_cast<std::uint64_t>(least) && *value <= static_cast<std::uint64_t>(most))
    return static_cast<int>(*value);
  problem(node, path,
          "a whole number from " + std::to_string(least) + " to " + std::to_string(most) + " is needed here");
  return least;
}

int OptionReader::mode(const YamlNode& node, const std::string& path) {
  const auto value = node.kind == YamlNode::Kind::scalar ? parse_digits(node.text, 8) : std::nullopt;
  if (value && *value <= 0777) return static_cast<int>(*value);
  problem(node, path, "file permissions in octal are needed here, such as 0660");
  return 0;
}

std::size_t OptionReader::bytes(const YamlNode& node, const std::string& path, std::size_t least, std::size_t most) {
  const auto value = node.kind == YamlNode::Kind::scalar ? parse_bytes(node.text) : std::nullopt;
  if (value && *value >= least && *value <= most) return *value;
  problem(
      node, path,
      "a size from " + std::to_string(least) + " to " + std::to_string(most) + " bytes is needed here, such as 4MiB");
  return least;
}

base::Duration OptionReader::duration(const YamlNode& node, const std::string& path, base::Duration least) {
  const auto value = node.kind == YamlNode::Kind::scalar ? base::parse_duration(node.text) : std::nullopt;
  if (!value) problem(node, path, "a duration is needed here, such as 30s or 1h30m");
  if (value && *value < least) problem(node, path, "at least " + base::format_duration(least) + " is needed here");
  return value.value_or(base::Duration{});
}

bool OptionReader::flag(const YamlNode& node, const std::string& path) {
  if (node.kind == YamlNode::Kind::scalar && (node.text == "true" || node.text == "false")) return node.text == "true";
  problem(node, path, "true or false is needed here");
  return false;
}

std::vector<std::uint16_t> OptionReader::ports(const YamlNode& node, const std::string& path) {
  std::vector<std::uint16_t> result;
  const std::vector<std::string> entries = texts(node, path);
  for (std::size_t i = 0; i < entries.size(); ++i)
    result.push_back(static_cast<std::uint16_t>(number(node.items[i], base::below(path, i), 1, 65535)));
  return result;
}

json::value OptionReader::any(const YamlNode& node, const std::string& path) {
  return document_ ? document_->to_json(node, path, problems_) : json::value(json::string(node.text));
}

bool OptionReader::is_map(const YamlNode& node, const std::string& path) {
  if (node.kind == YamlNode::Kind::map || node.is_null()) return true;
  problem(node, path, "a map is needed here, not " + kind_text(node));
  return false;
}

}  // namespace godwit::config
