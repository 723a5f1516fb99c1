#include "engine/shaping.hpp"

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
      for (const auto& row : *list) success.emitted.push_back({topic, json::serialize(row)});
    } else if (!rows.is_null()) {
      success.emitted.push_back({topic, json::serialize(rows)});
    }
  }
  if (stage.output) success.output = json::serialize(language.render(*stage.output, scope));
}

}  // namespace godwit::engine
