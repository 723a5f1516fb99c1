#include "base/error.hpp"

#include <array>

#include "base/utf8.hpp"

namespace godwit::base {
namespace {

constexpr std::array kKinds{
    ErrorKindInfo{ErrorKind::failed, "failed", 1, -32000},
    ErrorKindInfo{ErrorKind::usage, "usage", 2, -32602},
    ErrorKindInfo{ErrorKind::not_found, "not_found", 3, -32001},
    ErrorKindInfo{ErrorKind::unavailable, "unavailable", 4, -32002},
    ErrorKindInfo{ErrorKind::denied, "denied", 5, -32003},
    ErrorKindInfo{ErrorKind::refused, "refused", 6, -32004},
    ErrorKindInfo{ErrorKind::internal, "internal", 1, -32603},
};

// What is said of somebody's input quotes it, often cut in the middle of a character, and goes to places that take text
// only: the journal, the socket, the terminal.
std::vector<Error::Problem> repaired(std::vector<Error::Problem> problems) {
  for (auto& problem : problems)
    for (auto* text : {&problem.what, &problem.hint, &problem.place.file, &problem.place.path})
      if (!is_utf8(*text)) *text = repaired_utf8(*text);
  return problems;
}

std::string joined(const std::vector<Error::Problem>& problems) {
  if (problems.empty()) throw std::logic_error("an Error needs at least one problem");
  std::string text;
  for (const auto& problem : problems) {
    if (!text.empty()) text += '\n';
    text += problem.text();
  }
  return text;
}

}  // namespace

std::string Place::text() const {
  std::string text = file;
  if (line > 0) {
    text += (text.empty() ? "line " : ":") + std::to_string(line);
    if (column > 0) text += ":" + std::to_string(column);
  }
  if (!path.empty()) text += text.empty() ? path : " (" + path + ")";
  return text;
}

std::string below(const std::string& path, std::string_view key) {
  return path.empty() ? std::string(key) : path + "." + std::string(key);
}
std::string below(const std::string& path, std::size_t index) {
  return path + "[" + std::to_string(index) + "]";
}

const ErrorKindInfo& info(ErrorKind kind) {
  for (const auto& entry : kKinds)
    if (entry.kind == kind) return entry;
  throw std::logic_error("unknown ErrorKind");
}

const ErrorKindInfo* find_error_kind_by_rpc_code(int rpc_code) {
  for (const auto& entry : kKinds)
    if (entry.rpc_code == rpc_code) return &entry;
  return nullptr;
}

std::string Error::Problem::text() const {
  const std::string where = place.text();
  std::string text = where.empty() ? what : where + ": " + what;
  if (!hint.empty()) text += "; " + hint;
  return text;
}

Error::Error(ErrorKind kind, std::string what, Place place, std::string hint)
    : Error(kind, std::vector<Problem>{{std::move(what), std::move(place), std::move(hint)}}) {}

Error::Error(ErrorKind kind, std::vector<Problem> problems)
    : std::runtime_error(joined(problems = repaired(std::move(problems)))), kind_(kind), problems_(std::move(problems)) {}

}  // namespace godwit::base
