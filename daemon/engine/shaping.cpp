#include "engine/shaping.hpp"

#include "base/json_text.hpp"

namespace godwit::engine {

namespace json = base::json;

void shape_output(const CompiledStage& stage, expression::Language& language, expression::Scope& scope,
                  StepSucceeded& success) {
  const json::value output = base::parse_json(success.output);
  scope.set("output", output);
  if (stage.emit_rows) {
    const json::value rows = language.render(*stage.emit_rows, scope);
    const std::string& topic = stage.spec->emit->to;
    if (const auto* list = rows.if_array()) {
      for (const auto& row : *list) success.emitted.push_back({topic, base::serialize(row)});
    } else if (!rows.is_null()) {
      success.emitted.push_back({topic, base::serialize(rows)});
    }
  }
  if (stage.output) success.output = base::serialize(language.render(*stage.output, scope));
}

json::value with_env(json::value input, const CompiledStage& stage, const Callable& callable,
                     expression::Language& language, const expression::Scope& scope) {
  const auto* known = callable.args_schema.if_contains("properties");
  const bool takes_env = known && known->is_object() && known->as_object().contains("env");
  if (!stage.env || !takes_env || !input.is_object()) return input;
  json::object env = language.render(*stage.env, scope).as_object();
  if (const auto* own = input.as_object().if_contains("env"); own && own->is_object())
    for (const auto& member : own->as_object()) env[member.key()] = member.value();
  input.as_object()["env"] = std::move(env);
  return input;
}

}  // namespace godwit::engine
