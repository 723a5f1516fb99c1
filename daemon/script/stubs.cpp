#include "script/stubs.hpp"

#include "script/api.hpp"

namespace godwit::script {
namespace {

std::string without_mark(const std::string& type) {
  return type.ends_with('?') ? type.substr(0, type.size() - 1) : type;
}

// Long lines are for machines; editors show a comment as it is.
std::string comment(const std::string& text) {
  return text.empty() ? std::string() : "--- " + text + "\n";
}

std::string table_stub(const ApiTable& table) {
  std::string out = comment(table.doc) + "---@class " + table.name + "\n";
  for (const auto& field : table.fields)
    out +=
        "---@field " + field.name + (field.optional() ? "? " : " ") + without_mark(field.type) + " " + field.doc + "\n";
  return out + "\n";
}

// A JSON Schema as a type of LuaLS, as far as there is one.
std::string type_of(const base::json::value& schema) {
  const auto* object = schema.if_object();
  const auto* type = object ? object->if_contains("type") : nullptr;
  if (!type || !type->is_string()) return "any";
  const std::string_view name = type->get_string();
  if (name == "array") {
    const auto* items = object->if_contains("items");
    return (items ? type_of(*items) : "any") + "[]";
  }
  if (name == "object") return "table";
  return std::string(name);
}

std::string class_of(const StubMethod& method) {
  return "godwit.args." + method.callable;
}

std::string arguments_stub(const StubMethod& method) {
  std::string out = comment(method.doc) + "---@class " + class_of(method) + "\n";
  const auto* properties = method.args.if_contains("properties");
  const auto* required = method.args.if_contains("required");
  if (!properties || !properties->is_object()) return out + "\n";
  for (const auto& property : properties->get_object()) {
    bool needed = false;
    if (required && required->is_array())
      for (const auto& name : required->get_array())
        needed = needed || (name.is_string() && name.get_string() == property.key());
    const auto* object = property.value().if_object();
    const auto* doc = object ? object->if_contains("description") : nullptr;
    out += "---@field " + std::string(property.key()) + (needed ? " " : "? ") + type_of(property.value()) +
           (doc && doc->is_string() ? " " + std::string(doc->get_string()) : "") + "\n";
  }
  return out + "\n";
}

std::string function_stub(const ApiFunction& function, const std::vector<StubMethod>& methods) {
  std::string out = comment(function.doc);
  if (function.name == "call")
    for (const auto& method : methods)
      out += "---@overload fun(method: \"" + method.callable + "\", args: " + class_of(method) +
             ", opts?: godwit.CallOptions): any\n";
  if (!function.yaml.empty()) out += "--- In YAML: `" + function.yaml + "`\n";
  std::string names;
  for (const auto& parameter : function.parameters) {
    out += "---@param " + parameter.name + (parameter.optional() ? "? " : " ") + without_mark(parameter.type) + " " +
           parameter.doc + "\n";
    names += (names.empty() ? "" : ", ") + parameter.name;
  }
  if (!function.result.empty()) out += "---@return " + function.result + "\n";
  return out + "function gw." + function.name + "(" + names + ") end\n\n";
}

}  // namespace

std::string stubs(const std::vector<StubMethod>& methods) {
  std::string out =
      "---@meta godwit\n-- Printed by `godwit lua stubs`: annotations for LuaLS. Not meant to be changed or run.\n\n";
  for (const auto& table : api_tables()) out += table_stub(table);
  out += "---@class godwit\n---@field null any JSON's null, which nil cannot stand for in a table\ngw = {}\n\n";
  for (const auto& method : methods) out += arguments_stub(method);
  for (const auto& function : api()) out += function_stub(function, methods);
  return out + "return gw\n";
}

std::string reference() {
  std::string out;
  for (const auto& function : api()) {
    std::string names;
    for (const auto& parameter : function.parameters)
      names += (names.empty() ? "" : ", ") + parameter.name + (parameter.optional() ? "?" : "");
    out += "### gw." + function.name + "(" + names + ")\n\n" + function.doc + "\n\n";
    for (const auto& parameter : function.parameters)
      out +=
          "- `" + parameter.name + "`: " + parameter.type + (parameter.doc.empty() ? "" : ", " + parameter.doc) + "\n";
    if (!function.parameters.empty()) out += "\n";
    if (!function.yaml.empty()) out += "In YAML: `" + function.yaml + "`\n\n";
  }
  for (const auto& table : api_tables()) {
    out += "### " + table.name + "\n\n" + table.doc + "\n\n";
    for (const auto& field : table.fields) out += "- `" + field.name + "`: " + field.type + ", " + field.doc + "\n";
    out += "\n";
  }
  return out;
}

}  // namespace godwit::script
