#include "wire/manifest.hpp"

#include <algorithm>
#include <set>

#include "base/error.hpp"
#include "base/suggest.hpp"
#include "wire/host_messages.hpp"

namespace godwit::wire {
namespace {

namespace json = base::json;

bool is_id(std::string_view text) {
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-' ||
           c == '_';
  };
  return !text.empty() && text.size() <= 128 && text.front() != '.' && text.back() != '.' &&
         std::all_of(text.begin(), text.end(), allowed);
}

// "flight-search/1"
bool is_contract(std::string_view text) {
  const std::size_t slash = text.find('/');
  if (slash == std::string_view::npos || !is_id(text.substr(0, slash))) return false;
  const std::string_view revision = text.substr(slash + 1);
  return !revision.empty() && revision.size() <= 4 && revision.front() != '0' &&
         std::all_of(revision.begin(), revision.end(), [](char c) { return c >= '0' && c <= '9'; });
}

// Reads one object of the manifest and notes what is wrong with it.
class Reader {
 public:
  Reader(const json::object& object, std::string path, const std::string& file,
         std::vector<base::Error::Problem>& problems)
      : object_(object), path_(std::move(path)), file_(file), problems_(problems) {}

  void problem(const std::string& key, const std::string& what, const std::string& hint = {}) const {
    problems_.push_back({what, {file_, 0, 0, path_of(key)}, hint});
  }

  std::string text(const std::string& key, bool required) {
    const json::value* value = get(key, required, "a string");
    if (value && !value->is_string()) problem(key, "must be a string");
    return value && value->is_string() ? std::string(value->get_string()) : std::string();
  }

  std::string id(const std::string& key) {
    const std::string value = text(key, true);
    if (!value.empty() && !is_id(value))
      problem(key, "\"" + value + "\" may have letters, digits, '.', '-' and '_' only, and at most 128");
    return value;
  }

  bool flag(const std::string& key) {
    const json::value* value = get(key, false, {});
    if (value && !value->is_bool()) problem(key, "must be true or false");
    return value && value->is_bool() && value->get_bool();
  }

  std::int64_t number(const std::string& key, std::int64_t least, std::int64_t most, std::int64_t otherwise) {
    const json::value* value = get(key, false, {});
    if (!value) return otherwise;
    const bool valid = value->is_int64() && value->get_int64() >= least && value->get_int64() <= most;
    if (!valid) problem(key, "must be a whole number from " + std::to_string(least) + " to " + std::to_string(most));
    return valid ? value->get_int64() : otherwise;
  }

  json::object object(const std::string& key, bool required = false) {
    const json::value* value = get(key, required, "an object");
    if (value && !value->is_object()) problem(key, "must be an object");
    return value && value->is_object() ? value->get_object() : json::object();
  }

  json::array list(const std::string& key, bool required) {
    const json::value* value = get(key, required, "a list");
    if (value && !value->is_array()) problem(key, "must be a list");
    return value && value->is_array() ? value->get_array() : json::array();
  }

  // After everything was read: whatever else is there is a mistake.
  void refuse_unknown_keys() const {
    for (const auto& member : object_) {
      const std::string key(member.key());
      if (std::find(known_.begin(), known_.end(), key) == known_.end())
        problem(key, "is no key of a manifest here", base::suggest(key, known_));
    }
  }

  Reader inside(const json::object& object, const std::string& key) const {
    return Reader(object, path_of(key), file_, problems_);
  }

 private:
  std::string path_of(const std::string& key) const { return path_.empty() ? key : path_ + "." + key; }

  const json::value* get(const std::string& key, bool required, const std::string& kind) {
    known_.push_back(key);
    const json::value* value = object_.if_contains(key);
    if (!value && required) problem(key, "is missing", "give " + kind);
    return value;
  }

  const json::object& object_;
  std::string path_;
  const std::string& file_;
  std::vector<base::Error::Problem>& problems_;
  std::vector<std::string> known_;
};

Method read_method(Reader& reader) {
  Method method;
  method.retry_safe = reader.flag("retry_safe");
  method.args = reader.object("args");
  method.result = reader.object("result");
  return method;
}

void read_provider(Reader& reader, Unit& unit) {
  const json::object methods = reader.object("methods", true);
  for (const auto& member : methods) {
    const std::string key(member.key());
    if (!is_id(key) || key.find('.') != std::string::npos)
      reader.problem("methods." + key, "a method's name may have letters, digits, '-' and '_' only");
    if (!member.value().is_object()) {
      reader.problem("methods." + key, "must be an object");
      continue;
    }
    Reader inner = reader.inside(member.value().get_object(), "methods." + key);
    Method method = read_method(inner);
    method.description = inner.text("description", false);
    inner.refuse_unknown_keys();
    unit.methods.emplace(key, std::move(method));
  }
  if (methods.empty()) reader.problem("methods", "a provider needs at least one method");
  for (const auto& contract : reader.list("implements", false)) {
    if (!contract.is_string() || !is_contract(std::string_view(contract.get_string()))) {
      reader.problem("implements", "must be a list of contracts such as \"flight-search/1\"");
    } else {
      unit.implements.emplace_back(contract.get_string());
    }
  }
}

// Ids of extensions look like those of contracts: a name, a slash and a revision.
std::vector<std::string> read_extensions(Reader& reader, const std::string& key) {
  std::vector<std::string> ids;
  for (const auto& id : reader.list(key, false)) {
    if (!id.is_string() || !is_contract(std::string_view(id.get_string()))) {
      reader.problem(key, "must be a list of extensions such as \"godwit.http/1\"");
    } else {
      ids.emplace_back(id.get_string());
    }
  }
  return ids;
}

Unit read_unit(Reader reader) {
  Unit unit;
  unit.id = reader.id("id");
  unit.description = reader.text("description", false);
  unit.config = reader.object("config");
  const std::string kind = reader.text("kind", true);
  if (kind == "provider") {
    unit.kind = UnitKind::provider;
    read_provider(reader, unit);
  } else {
    if (!kind.empty() && kind != "stage")
      reader.problem("kind", "\"" + kind + "\" is neither \"stage\" nor \"provider\"");
    unit.pure = reader.flag("pure");
    Method method = read_method(reader);
    method.description = unit.description;
    unit.methods.emplace("", std::move(method));
  }
  reader.refuse_unknown_keys();
  return unit;
}

void read_units(Reader& reader, Manifest& manifest) {
  const json::array units = reader.list("units", true);
  if (units.empty()) reader.problem("units", "must have at least one unit");
  std::set<std::string> ids;
  for (std::size_t i = 0; i < units.size(); ++i) {
    const std::string key = "units[" + std::to_string(i) + "]";
    if (!units[i].is_object()) {
      reader.problem(key, "must be an object");
      continue;
    }
    manifest.units.push_back(read_unit(reader.inside(units[i].get_object(), key)));
    if (!ids.insert(manifest.units.back().id).second)
      reader.problem(key + ".id", "\"" + manifest.units.back().id + "\" is there twice");
  }
}

void read_abi(Reader& reader, Manifest& manifest) {
  const json::object abi = reader.object("abi", true);
  Reader inner = reader.inside(abi, "abi");
  manifest.abi_major = inner.number("major", 0, 1'000'000, -1);
  manifest.abi_minor = inner.number("minor", 0, 1'000'000, 0);
  inner.refuse_unknown_keys();
  if (manifest.abi_major != kAbiMajor)
    inner.problem("major",
                  "the plugin is built for ABI " + (manifest.abi_major < 0 ? "?" : std::to_string(manifest.abi_major)) +
                      ", this godwit loads ABI " + std::to_string(kAbiMajor),
                  "build it with the SDK of this godwit");
}

}  // namespace

namespace {

constexpr std::string_view kDraft = "godwit.draft.";

bool is_offered(std::string_view id, bool developer) {
  const bool known = std::find(kExtensions.begin(), kExtensions.end(), id) != kExtensions.end();
  return known && (developer || !id.starts_with(kDraft));
}

}  // namespace

std::vector<base::Error::Problem> missing_extensions(const Manifest& manifest, bool developer,
                                                     const std::string& file) {
  std::vector<std::string> known(kExtensions.begin(), kExtensions.end());
  std::vector<base::Error::Problem> problems;
  for (const auto& id : manifest.needs) {
    if (is_offered(id, developer)) continue;
    if (id.starts_with(kDraft) && !developer) {
      problems.push_back({"the plugin needs " + id + ", a draft that may change any day",
                          {file, 0, 0, "needs"},
                          "only a godwitd with `developer: true` loads it"});
      continue;
    }
    const std::string similar = base::suggest(id, known);
    problems.push_back({"the plugin needs " + id + ", which this godwit does not have",
                        {file, 0, 0, "needs"},
                        similar.empty() ? "update godwit, or build the plugin without it" : similar});
  }
  return problems;
}

std::vector<std::string> given_extensions(const Manifest& manifest, bool developer) {
  std::vector<std::string> given;
  for (const auto* list : {&manifest.needs, &manifest.wants})
    for (const auto& id : *list)
      if (is_offered(id, developer)) given.push_back(id);
  return given;
}

std::string_view name(UnitKind kind) {
  return kind == UnitKind::stage ? "stage" : "provider";
}

Manifest parse_manifest(std::string_view text, const std::string& file) {
  const json::value document = base::parse_json(text, file);
  if (!document.is_object()) throw base::refused("a manifest must be a JSON object", {file, 0, 0, {}});
  std::vector<base::Error::Problem> problems;
  Reader reader(document.get_object(), {}, file, problems);
  Manifest manifest;
  manifest.id = reader.id("id");
  manifest.version = reader.text("version", true);
  manifest.description = reader.text("description", false);
  read_abi(reader, manifest);
  // What another major version means by the other keys is not known here.
  if (!problems.empty() && manifest.abi_major != kAbiMajor)
    throw base::Error(base::ErrorKind::refused, std::move(problems));
  manifest.concurrency = static_cast<int>(reader.number("concurrency", 1, 1024, 1));
  manifest.cancel = std::chrono::milliseconds(reader.number("cancel_ms", 0, 600'000, 2000));
  manifest.needs = read_extensions(reader, "needs");
  manifest.wants = read_extensions(reader, "wants");
  read_units(reader, manifest);
  reader.refuse_unknown_keys();
  if (!problems.empty()) throw base::Error(base::ErrorKind::refused, std::move(problems));
  return manifest;
}

}  // namespace godwit::wire
