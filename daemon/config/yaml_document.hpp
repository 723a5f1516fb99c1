#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "base/json.hpp"

namespace godwit::config {

namespace json = base::json;
using Problems = std::vector<base::Error::Problem>;

// A value of a YAML document with the place it was written at (where the anchor is, for what an alias repeats).
struct YamlNode {
  enum class Kind { scalar, list, map };
  struct Member;

  Kind kind = Kind::scalar;
  int line = 0;
  int column = 0;
  std::string text;   // of a scalar, as written (quotes and escapes resolved)
  bool plain = true;  // a scalar without quotes: its text may mean a number, a boolean or null
  std::vector<YamlNode> items;
  std::vector<Member> members;  // in the order of the file, each key once

  bool is_null() const;
  const YamlNode* find(std::string_view key) const;
};
struct YamlNode::Member {
  std::string key;
  int line = 0;
  int column = 0;
  YamlNode value;
};

// The one reader of YAML, for settings and for jobs: YAML 1.2 core schema, one document, hostile text expected. Refused
// are duplicate keys, merge keys, tags, keys that are no scalars, tabs in the indentation, and everything that is too
// large, too deep or multiplies itself by aliases.
class YamlDocument {
 public:
  static constexpr std::size_t kBytesMax = 1u << 20;
  static constexpr std::size_t kNodesMax = 200'000;           // with aliases counted as often as they stand
  static constexpr std::size_t kExpandedBytesMax = 8u << 20;  // of all scalars, likewise

  // What a text without any value (only comments) is: an error, or null.
  enum class Empty { refused, null };
  // Throws Error(refused) with file, line and column.
  YamlDocument(std::string_view text, std::string file, Empty empty = Empty::refused);

  const YamlNode& root() const { return root_; }
  const std::string& file() const { return file_; }
  base::Place place(const YamlNode& node, std::string path) const {
    return {file_, node.line, node.column, std::move(path)};
  }
  base::Place place(const YamlNode::Member& member, std::string path) const {
    return {file_, member.line, member.column, std::move(path)};
  }

  // The value as JSON. What JSON cannot hold (.nan, integers beyond 64 bits) becomes null and a problem.
  json::value to_json(const YamlNode& node, const std::string& path, Problems& problems) const;

 private:
  std::string file_;
  YamlNode root_;
};

// What the node is, for messages: "a list", "text", "a number", ...
std::string kind_text(const YamlNode& node);

}  // namespace godwit::config
