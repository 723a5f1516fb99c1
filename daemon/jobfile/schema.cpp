#include "jobfile/schema.hpp"

#include <algorithm>
#include <optional>

// Without this valijson ends the program where a schema is wrong.
#define VALIJSON_USE_EXCEPTIONS 1
#include <valijson/adapters/boost_json_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validation_results.hpp>
#include <valijson/validation_visitor.hpp>

#include "jobfile/schema_walk.hpp"
#include "jobfile/whole_number.hpp"
#include "jobfile/wording.hpp"

namespace godwit::jobfile {
namespace {

using Adapter = valijson::adapters::BoostJsonAdapter;
using Visitor = valijson::ValidationVisitor<Adapter>;

// The schema without what SchemaWalk checks itself: valijson's formats are matched by a recursive matcher that a long
// text overflows, and its uniqueItems compares every item with every other. To it 5 is another value than 5.0, so there
// is one of them only, here and in what is checked.
json::value for_validator(const json::value& schema) {
  if (const auto* array = schema.if_array()) {
    json::array result;
    for (const auto& item : *array) result.push_back(for_validator(item));
    return result;
  }
  const auto* object = schema.if_object();
  if (!object) return schema;
  json::object result;
  for (const auto& member : *object) {
    const bool is_format = member.key() == "format" && member.value().is_string();
    const bool is_unique = member.key() == "uniqueItems" && member.value().is_bool();
    if (is_format || is_unique) continue;
    // What these hold is data, not schemas.
    const bool data = member.key() == "enum" || member.key() == "const" || member.key() == "default";
    result.emplace(member.key(), data ? with_whole_numbers(member.value()) : for_validator(member.value()));
  }
  return result;
}

struct Spot {
  std::string path;
  const json::value* value;
};

// valijson says where in pieces: "<root>", "[travelers]", "[1]". Whether a number is an index or a name tells the value
// itself.
Spot find_spot(const std::vector<std::string>& context, const json::value& root) {
  Spot spot{{}, &root};
  for (std::size_t i = 1; i < context.size(); ++i) {
    const std::string step = context[i].substr(1, context[i].size() - 2);
    const auto* array = spot.value ? spot.value->if_array() : nullptr;
    const auto* object = spot.value ? spot.value->if_object() : nullptr;
    if (array) {
      const std::size_t index = std::strtoul(step.c_str(), nullptr, 10);
      spot = {base::below(spot.path, index), index < array->size() ? &(*array)[index] : nullptr};
    } else {
      spot = {base::below(spot.path, step), object ? object->if_contains(step) : nullptr};
    }
  }
  return spot;
}

bool refuses_names(const std::vector<const json::object*>& schemas) {
  return std::any_of(schemas.begin(), schemas.end(),
                     [](const auto* schema) { return schema->contains("additionalProperties"); });
}

}  // namespace

struct Schema::Impl {
  json::object document;
  SchemaWalk walk;
  valijson::Schema schema;
  std::unordered_map<std::string, std::regex> patterns;

  Impl(json::object source, const std::string& name)
      : document(std::move(source)), walk(document, name), patterns(walk.patterns().begin(), walk.patterns().end()) {
    try {
      valijson::SchemaParser parser;
      const json::value stripped = for_validator(document);
      parser.populateSchema(Adapter(stripped), schema);
    } catch (const std::exception& error) {
      throw base::refused("the schema" + (name.empty() ? "" : " of " + name) + " is wrong: " + error.what());
    }
  }
};

Schema::Schema(json::object schema, const std::string& name) : impl_(std::make_unique<Impl>(std::move(schema), name)) {}
Schema::Schema(Schema&&) noexcept = default;
Schema& Schema::operator=(Schema&&) noexcept = default;
Schema::~Schema() = default;

std::vector<base::Error::Problem> Schema::violations(const json::value& value) const {
  // The walk first: when a text is too long for a pattern, the validator must not see it.
  auto problems = impl_->walk.violations(value);
  if (!problems.empty() && !impl_->patterns.empty() && impl_->walk.has_long_text(value)) return problems;
  std::optional<json::value> whole;
  if (has_fractionless(value)) whole = with_whole_numbers(value);
  valijson::ValidationResults results;
  Visitor visitor(Adapter(whole ? *whole : value), {"<root>"}, true, &results, impl_->patterns);
  if (visitor.validateSchema(*impl_->schema.root())) return problems;
  std::vector<base::Error::Problem> found;
  std::vector<base::Error::Problem> summaries;
  valijson::ValidationResults::Error error;
  while (results.popError(error)) {
    if (found.size() + problems.size() >= SchemaWalk::kViolationsMax) break;
    const Spot spot = find_spot(error.context, value);
    const Wording wording{error.description, spot.path, spot.value, impl_->walk.at(value, spot.path)};
    // The walk has told each unknown name, with a suggestion; valijson tells one.
    if (error.description.starts_with("Object contains a property") && refuses_names(wording.schemas)) continue;
    if (wording.is_of_choice()) continue;
    (wording.is_summary() ? summaries : found).push_back(wording.problem());
  }
  found.insert(found.begin(), problems.begin(), problems.end());
  if (!found.empty()) return found;
  if (summaries.empty()) summaries.push_back({"does not fit the schema", {}, {}});
  return summaries;
}

namespace {

// What is known of a value whose other parts are expressions.
class Sketch {
 public:
  Sketch(const SchemaWalk& walk, const json::object& document, const std::set<std::string>& unknown)
      : walk_(walk), document_(document), unknown_(unknown) {}

  std::vector<base::Error::Problem> violations(const json::value& value) {
    walk_.each_part(value, [this](const json::object& schema, const json::value& part, const std::string& path) {
      if (schema.contains("$ref") || unknown_.contains(path)) return;
      if (has_unknown(path)) return check_container(schema, part, path);
      // A part that is all known is checked as a whole.
      if (path.empty() || has_unknown(parent_of(path))) check_whole(schema, part, path);
    });
    return std::move(problems_);
  }

 private:
  static std::string parent_of(const std::string& path) {
    const auto end = path.find_last_of(".[");
    return end == std::string::npos ? std::string() : path.substr(0, end);
  }

  bool has_unknown(const std::string& path) const {
    return std::any_of(unknown_.begin(), unknown_.end(), [&](const std::string& unknown) {
      return path.empty() || unknown == path || unknown.starts_with(path + ".") || unknown.starts_with(path + "[");
    });
  }

  void check_whole(const json::object& schema, const json::value& part, const std::string& path) {
    json::object alone = schema;
    if (const auto* definitions = document_.if_contains("definitions")) alone["definitions"] = *definitions;
    for (auto& problem : Schema(std::move(alone)).violations(part)) {
      const std::string inner = std::move(problem.place.path);
      problem.place.path = path + (path.empty() || inner.empty() || inner.front() == '[' ? "" : ".") + inner;
      add(std::move(problem));
    }
  }

  void check_container(const json::object& schema, const json::value& part, const std::string& path) {
    std::vector<base::Error::Problem> found;
    SchemaWalk::find_unknown_names(schema, part, path, found);
    SchemaWalk::find_choices(schema, part, path, found);
    const auto* required = schema.if_contains("required");
    if (required && required->is_array() && part.is_object())
      for (const auto& name : required->get_array())
        if (name.is_string() && !part.get_object().contains(name.get_string()))
          found.push_back({"is missing", {{}, 0, 0, base::below(path, name.get_string())}, {}});
    const auto* type = schema.if_contains("type");
    if (type && type->is_string() && *type != json::value(part.is_object() ? "object" : "array"))
      found.push_back({"must be " + type_text(*type) + ", not " + kind_of(part), {{}, 0, 0, path}, {}});
    for (auto& problem : found) add(std::move(problem));
  }

  // Several schemas may say the same of one place.
  void add(base::Error::Problem problem) {
    const bool known = std::any_of(problems_.begin(), problems_.end(), [&](const auto& other) {
      return other.what == problem.what && other.place.path == problem.place.path;
    });
    if (!known && problems_.size() < SchemaWalk::kViolationsMax) problems_.push_back(std::move(problem));
  }

  const SchemaWalk& walk_;
  const json::object& document_;
  const std::set<std::string>& unknown_;
  std::vector<base::Error::Problem> problems_;
};

}  // namespace

std::vector<base::Error::Problem> Schema::violations(const json::value& value,
                                                     const std::set<std::string>& unknown) const {
  if (unknown.empty()) return violations(value);
  return Sketch(impl_->walk, impl_->document, unknown).violations(value);
}

void Schema::fill_defaults(json::value& value) const {
  impl_->walk.fill_defaults(value);
}

void InputSchema::check(const json::value& input) const {
  auto problems = schema_.violations(input);
  if (!problems.empty()) throw base::Error(base::ErrorKind::refused, std::move(problems));
}

void InputSchema::check(const model::Template& input) const {
  std::set<std::string> unknown;
  for (const auto& [path, places] : input.expressions) unknown.insert(path);
  // Without `with` the input is an empty object.
  auto problems = schema_.violations(input.value.is_null() ? json::value(json::object()) : input.value, unknown);
  if (!problems.empty()) throw base::Error(base::ErrorKind::refused, std::move(problems));
}

}  // namespace godwit::jobfile
