#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "base/json.hpp"
#include "base/time.hpp"

namespace godwit::wire {

// The major version of sdk/include/godwit/plugin.h that this godwit loads.
inline constexpr std::int64_t kAbiMajor = 1;

enum class UnitKind { stage, provider };
std::string_view name(UnitKind kind);

struct Method {
  std::string description;
  bool retry_safe = false;
  base::json::object args;    // JSON Schema, empty when not given
  base::json::object result;  // JSON Schema, empty when not given
};

struct Unit {
  std::string id;
  UnitKind kind = UnitKind::stage;
  std::string description;
  bool pure = false;
  base::json::object config;              // JSON Schema, empty when not given
  std::vector<std::string> implements;    // contracts: "flight-search/1"
  std::map<std::string, Method> methods;  // a stage has one, with an empty name

  // What a job writes after `uses:` for this method.
  std::string callable_name(const std::string& method) const { return method.empty() ? id : id + "." + method; }
};

// What a plugin says about itself, in plugin.json (sdk/README.md).
struct Manifest {
  std::string id;
  std::string version;
  std::string description;
  std::int64_t abi_major = 0;
  std::int64_t abi_minor = 0;
  int concurrency = 1;                              // calls at once in the one process
  base::Duration cancel = std::chrono::seconds(2);  // from the wish that a call ends to the kill
  std::vector<std::string> needs;                   // extensions it cannot do without: "godwit.http/1"
  std::vector<std::string> wants;                   // extensions it uses when they are there
  std::vector<Unit> units;
};

// Why a godwit that offers `kExtensions` (host_messages.hpp) cannot give what the manifest needs; empty when it can.
// Drafts are given in developer mode only.
std::vector<base::Error::Problem> missing_extensions(const Manifest& manifest, bool developer, const std::string& file);
// What of its needs and wants it is given.
std::vector<std::string> given_extensions(const Manifest& manifest, bool developer);

// Throws Error(refused) with every problem of the document; `file` names it in them.
Manifest parse_manifest(std::string_view text, const std::string& file);

}  // namespace godwit::wire
