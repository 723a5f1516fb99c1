#include "jobfile/params_reader.hpp"

#include "base/suggest.hpp"
#include "jobfile/format.hpp"
#include "jobfile/keyword.hpp"
#include "jobfile/schema.hpp"

namespace godwit::jobfile {
namespace {

const std::vector<std::string> kTypes{"string", "integer", "number", "boolean", "array", "object", "null"};

// Turns what a person writes into JSON Schema: `{$ref: traveler}` names a type of the file; a $ref beside other
// conditions becomes one of them.
class SchemaReader {
 public:
  SchemaReader(Reader& reader, std::vector<std::string> types) : reader_(reader), types_(std::move(types)) {}

  json::value schema(const YamlNode& node, const std::string& path, bool is_param) {
    if (node.kind != YamlNode::Kind::map) return short_form(node, path);
    json::object result;
    for (const auto& member : node.members) {
      const std::string here = base::below(path, member.key);
      const Keyword* keyword = find_keyword(member.key);
      if (is_param && member.key == "optional") {
        reader_.flag(member.value, here);
      } else if (!keyword) {
        std::vector<std::string> known = keyword_names();
        if (is_param) known.emplace_back("optional");
        reader_.problem(reader_.place(member, here), "unknown key '" + member.key + "'",
                        base::suggest(member.key, known));
      } else {
        result.emplace(member.key, keyword_value(*keyword, member.value, here));
      }
    }
    return with_reference_apart(std::move(result));
  }

 private:
  // "string", "date", "integer?", "string[]": a type's name, a day, one that may be left out, a list.
  json::value short_form(const YamlNode& node, const std::string& path) {
    const json::value value = node.kind == YamlNode::Kind::scalar ? reader_.any(node, path) : json::value();
    if (value.is_bool()) return value;
    if (value.is_string()) {
      std::string_view word = value.get_string();
      if (word.ends_with('?')) word.remove_suffix(1);
      const bool list = word.ends_with("[]");
      if (list) word.remove_suffix(2);
      json::object schema{{"type", json::string_view(word.data(), word.size())}};
      if (word == "date") schema = {{"type", "string"}, {"format", "date"}};
      if (word == "date" || std::find(kTypes.begin(), kTypes.end(), word) != kTypes.end())
        return list ? json::object{{"type", "array"}, {"items", schema}} : schema;
    }
    const std::string found = value.is_string() ? "'" + node.text + "'" : config::kind_text(node);
    reader_.problem(node, path, "a JSON Schema or the name of a type is needed here, not " + found,
                    value.is_string() ? base::suggest(node.text, kTypes) : std::string());
    return json::object();
  }

  json::value keyword_value(const Keyword& keyword, const YamlNode& node, const std::string& path) {
    if (keyword.name == "$ref") return reference(node, path);
    if (keyword.holds == Keyword::Holds::schema && node.kind != YamlNode::Kind::list) return schema(node, path, false);
    if (keyword.holds == Keyword::Holds::map && node.kind == YamlNode::Kind::map) {
      json::object result;
      for (const auto& member : node.members) {
        const std::string here = base::below(path, member.key);
        const bool names = member.value.kind == YamlNode::Kind::list;  // of `dependencies`
        result.emplace(member.key, names ? reader_.any(member.value, here) : schema(member.value, here, false));
      }
      return result;
    }
    if (keyword.holds != Keyword::Holds::data && node.kind == YamlNode::Kind::list) {
      json::array result;
      for (std::size_t i = 0; i < node.items.size(); ++i)
        result.push_back(schema(node.items[i], base::below(path, i), false));
      return result;
    }
    if (keyword.name == "type") check_type(node, path);
    if (keyword.name == "format") reader_.choice(node, path, kFormats);
    return reader_.any(node, path);
  }

  void check_type(const YamlNode& node, const std::string& path) {
    for (std::size_t i = 0; i < node.items.size(); ++i) check_type(node.items[i], base::below(path, i));
    if (node.kind == YamlNode::Kind::scalar && std::find(kTypes.begin(), kTypes.end(), node.text) == kTypes.end())
      reader_.problem(node, path, "unknown type '" + node.text + "'", base::suggest(node.text, kTypes));
  }

  json::value reference(const YamlNode& node, const std::string& path) {
    std::string name = reader_.text(node, path);
    constexpr std::string_view kLocal = "#/definitions/";
    if (name.starts_with(kLocal)) name.erase(0, kLocal.size());
    if (std::find(types_.begin(), types_.end(), name) == types_.end())
      reader_.problem(node, path, "there is no type '" + name + "' in types", base::suggest(name, types_));
    return json::string(std::string(kLocal) + name);
  }

  // Draft 7 ignores what stands beside a $ref.
  static json::value with_reference_apart(json::object schema) {
    const auto* reference = schema.if_contains("$ref");
    if (!reference) return schema;
    json::object rest = schema;
    rest.erase("$ref");
    json::array all{json::object{{"$ref", *reference}}};
    if (const auto* others = rest.if_contains("allOf"); others && others->is_array())
      all.insert(all.end(), others->get_array().begin(), others->get_array().end());
    for (const char* note : {"description", "title", "examples", "$comment"}) rest.erase(note);
    if (rest.empty()) return schema;
    schema.erase("$ref");
    schema["allOf"] = std::move(all);
    return schema;
  }

  Reader& reader_;
  std::vector<std::string> types_;
};

bool is_required(const YamlNode& param) {
  if (param.kind == YamlNode::Kind::scalar) return !param.text.ends_with('?');
  const YamlNode* optional = param.find("optional");
  return !param.find("default") && !(optional && optional->text == "true");
}

// Tells about a schema that cannot be used at the param or type it is about.
void report(Reader& reader, const base::Error& error, const YamlNode* types, const YamlNode& params) {
  for (const auto& problem : error.problems()) {
    const YamlNode* node = &params;
    std::string path = problem.place.path;
    for (const auto& [prefix, name, map] :
         {std::tuple{"definitions.", "types.", types}, std::tuple{"properties.", "params.", &params}}) {
      if (!path.starts_with(prefix)) continue;
      path.replace(0, std::string_view(prefix).size(), name);
      const std::size_t begin = std::string_view(name).size();
      const YamlNode* found = map ? map->find(path.substr(begin, path.find_first_of(".[", begin) - begin)) : nullptr;
      if (found) node = found;
      break;
    }
    reader.problem(*node, path.empty() ? "params" : path, problem.what, problem.hint);
  }
}

void check_schema(Reader& reader, const YamlNode* types, const YamlNode& params, const model::Job& job) {
  try {
    const Schema schema(job.schema);
    // Defaults that do not fit would only be found by whoever relies on them.
    json::value defaults = json::object();
    schema.fill_defaults(defaults);
    for (auto& problem : schema.violations(defaults)) {
      if (problem.what == "is missing") continue;
      const std::string path = problem.place.path;
      const YamlNode* param = params.find(path.substr(0, path.find_first_of(".[")));
      reader.problem(param ? *param : params, "params." + path, "the default does not fit: " + problem.what,
                     problem.hint);
    }
  } catch (const base::Error& error) {
    report(reader, error, types, params);
  }
}

}  // namespace

void read_params(Reader& reader, const YamlNode* types, const YamlNode* params, model::Job& job) {
  const std::size_t problems_before = reader.problems().size();
  std::vector<std::string> names;
  if (types && !types->is_null() && reader.is_map(*types, "types", "a map of types"))
    for (const auto& member : types->members) names.push_back(member.key);
  SchemaReader schemas(reader, names);
  json::object definitions;
  for (const auto& name : names)
    definitions.emplace(name, schemas.schema(*types->find(name), base::below("types", name), false));
  if (!params || params->is_null() || !reader.is_map(*params, "params", "a map of parameters")) return;
  json::array required;
  for (const auto& member : params->members) {
    const std::string path = base::below("params", member.key);
    if (member.key.empty() || member.key.size() > 100)
      reader.problem(reader.place(member, path), "this cannot be a parameter's name");
    job.params.emplace(member.key, schemas.schema(member.value, path, true));
    if (is_required(member.value)) required.push_back(json::string(member.key));
  }
  if (job.params.empty()) return;
  job.schema = {{"type", "object"}, {"properties", job.params}, {"additionalProperties", false}};
  if (!required.empty()) job.schema["required"] = std::move(required);
  if (!definitions.empty()) job.schema["definitions"] = std::move(definitions);
  if (reader.problems().size() == problems_before) check_schema(reader, types, *params, job);
}

}  // namespace godwit::jobfile
