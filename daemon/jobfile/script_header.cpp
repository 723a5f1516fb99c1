#include "jobfile/script_header.hpp"

#include <algorithm>
#include <vector>

#include "base/json_text.hpp"

namespace godwit::jobfile {
namespace {

namespace json = base::json;

bool is_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

class Writer {
 public:
  explicit Writer(const std::string& script) : script_(script) {}

  std::string write(const json::object& header) {
    const std::size_t begin = script_.find("job");
    object(header, begin == std::string::npos ? 0 : begin, true);
    out_ += '\n';
    return std::move(out_);
  }

 private:
  void value(const json::value& value, std::size_t from) {
    if (const auto* map = value.if_object()) {
      object(*map, from, false);
    } else if (const auto* list = value.if_array()) {
      out_ += '[';
      for (std::size_t i = 0; i < list->size(); ++i) {
        if (i > 0) out_ += ", ";
        this->value((*list)[i], from);
      }
      out_ += ']';
    } else {
      out_ += base::serialize(value);
    }
  }

  void object(const json::object& map, std::size_t from, bool top) {
    std::vector<std::pair<std::size_t, const json::object::value_type*>> members;
    for (const auto& member : map) members.emplace_back(find_key(std::string(member.key()), from), &member);
    std::stable_sort(members.begin(), members.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    out_ += '{';
    bool first = true;
    for (const auto& [at, member] : members) {
      if (!std::exchange(first, false)) out_ += ',';
      go_to(at);
      const std::string key(member->key());
      // What a script calls its name is what YAML calls its job.
      out_ += base::serialize(top && key == "name" ? "job" : key) + ": ";
      value(member->value(), at == std::string::npos ? from : at);
    }
    out_ += '}';
  }

  // Where the script has `key =`, or npos.
  std::size_t find_key(const std::string& key, std::size_t from) const {
    for (std::size_t at = script_.find(key, from); at != std::string::npos; at = script_.find(key, at + 1)) {
      if (at > 0 && is_word(script_[at - 1])) continue;
      std::size_t after = at + key.size();
      if (after < script_.size() && is_word(script_[after])) continue;
      after = script_.find_first_not_of("\"'] \t", after);
      if (after != std::string::npos && script_[after] == '=' && script_.compare(after, 2, "==") != 0) return at;
    }
    return std::string::npos;
  }

  void go_to(std::size_t at) {
    if (at == std::string::npos) return;
    const auto line = std::count(script_.begin(), script_.begin() + static_cast<std::ptrdiff_t>(at), '\n');
    for (; line_ < line; ++line_) out_ += '\n';
  }

  const std::string& script_;
  std::string out_;
  std::ptrdiff_t line_ = 0;
};

}  // namespace

std::string header_as_yaml(const model::ScriptBundle& bundle) {
  return Writer(bundle.text).write(bundle.header.value());
}

}  // namespace godwit::jobfile
