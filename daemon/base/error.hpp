#pragma once
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace godwit::base {

// Where a person can look for the cause of an error. Every part is optional; lines and columns count from 1.
struct Place {
  std::string file;
  int line = 0;
  int column = 0;
  std::string path;  // a path inside the document: "stages.search.with", "travelers[1].filters.max_stops"

  // "flock.yaml:12:7 (stages.search.with)", or as much of it as is known.
  std::string text() const;
};

// The paths inside documents: below("stages", "search") is "stages.search", below("days", 2) is "days[2]".
std::string below(const std::string& path, std::string_view key);
std::string below(const std::string& path, std::size_t index);

// The kinds an error's reader acts on differently; the CLI's exit codes and the socket's error codes come from the
// table in error.cpp.
enum class ErrorKind {
  failed,       // the operation was tried and did not work: exit 1
  usage,        // the command line is wrong: exit 2
  not_found,    // no such run, job, plugin, limit: exit 3
  unavailable,  // no daemon, or the database is away: exit 4
  denied,       // the role does not allow it: exit 5
  refused,      // the input is wrong: exit 6
  internal,     // a bug of ours: exit 1
};

struct ErrorKindInfo {
  ErrorKind kind;
  std::string_view name;
  int exit_code;
  int rpc_code;  // JSON-RPC 2.0 error code
};
const ErrorKindInfo& info(ErrorKind kind);
const ErrorKindInfo* find_error_kind_by_rpc_code(int rpc_code);

// An error a person reads: what is wrong, where, and what to do. Input that is wrong in several places carries all of
// them.
class Error : public std::runtime_error {
 public:
  struct Problem {
    std::string what;
    Place place;
    std::string hint;  // what to do, empty when there is nothing sensible to say
    std::string text() const;
  };

  Error(ErrorKind kind, std::string what, Place place = {}, std::string hint = {});
  // Throws std::logic_error when `problems` is empty.
  Error(ErrorKind kind, std::vector<Problem> problems);

  ErrorKind kind() const { return kind_; }
  const std::vector<Problem>& problems() const { return problems_; }

 private:
  ErrorKind kind_;
  std::vector<Problem> problems_;
};

inline Error refused(std::string what, Place place = {}, std::string hint = {}) {
  return Error(ErrorKind::refused, std::move(what), std::move(place), std::move(hint));
}
inline Error not_found(std::string what, std::string hint = {}) {
  return Error(ErrorKind::not_found, std::move(what), {}, std::move(hint));
}

}  // namespace godwit::base
