#include "jobfile/lua_writer.hpp"

#include <algorithm>
#include <map>
#include <set>

#include "config/yaml_document.hpp"
#include "expression/language.hpp"
#include "expression/text_parts.hpp"
#include "jobfile/job_parser.hpp"
#include "jobfile/lua_text.hpp"
#include "jobfile/yaml_comments.hpp"

namespace godwit::jobfile {
namespace {

using config::YamlNode;

const char* const kRecorded = R"(-- What stages.NAME of a foreach is in YAML.
local function recorded(items)
  local all = {count = #items, succeeded = 0, failed = 0, items = items}
  for _, one in ipairs(items) do
    if one.state == "succeeded" then all.succeeded = all.succeeded + 1 else all.failed = all.failed + 1 end
  end
  return all
end

)";
const char* const kSucceeded = R"(-- The same where every item must succeed.
local function succeeded(list, outputs)
  local items = gw.array {}
  for index, item in ipairs(list) do
    items[index] = {item = item, index = index - 1, state = "succeeded", output = outputs[index]}
  end
  return {count = #items, succeeded = #items, failed = 0, items = items}
end

)";
const char* const kLiteral = R"(-- A value as the text of an expression.
local function literal(value)
  if value == gw.null then return "null" end
  if type(value) == "string" then return string.format("%q", value) end
  if type(value) ~= "table" then return tostring(value) end
  local members = {}
  for key, member in pairs(value) do members[#members + 1] = "[" .. literal(key) .. "] = " .. literal(member) end
  return "{" .. table.concat(members, ", ") .. "}"
end

)";

// stages.name, or stages["name"].
std::string output_of(const model::Stage& stage) {
  const std::string key = lua_key(stage.name);
  return "stages" + (key.starts_with('[') ? key : "." + key);
}

std::string spaces(std::size_t count) {
  return std::string(count, ' ');
}

class JobWriter {
 public:
  JobWriter(const model::Job& job, const config::YamlDocument& document, std::string_view text)
      : job_(job), document_(document), comments_(text) {}

  std::string write() {
    const YamlNode& root = document_.root();
    const std::string header = write_header(root);
    const std::string body = write_body();
    std::string text;
    for (const auto& comment : comments_.between(1, root.members.front().line)) text += comment_line(comment, 0);
    text += "local gw = require \"godwit\"\n\n";
    for (const auto* helper : {kRecorded, kSucceeded, kLiteral})
      if (helpers_.contains(helper)) text += helper;
    return text + "return gw.job {\n" + header + "  run = function(params)\n" + body + "  end,\n}\n";
  }

 private:
  static std::string comment_line(const std::string& comment, std::size_t indent) {
    return spaces(indent) + "--" + (comment.empty() ? "" : " ") + comment + "\n";
  }

  // The comments of each member of a map, those that stand alone above it included.
  std::string comments_of(const YamlNode& map, std::size_t number, int end, std::size_t indent) const {
    const bool top = &map == &document_.root();  // what stands above all is about the whole job
    const int first = top && number == 0 ? map.members[number].line : comments_.first_above(map.members[number].line);
    if (number + 1 < map.members.size()) end = comments_.first_above(map.members[number + 1].line);
    std::string text;
    for (const auto& comment : comments_.between(first, end)) text += comment_line(comment, indent);
    return text;
  }

  json::value data(const YamlNode& node) const {
    config::Problems ignored;  // parse() has told them
    return document_.to_json(node, {}, ignored);
  }

  std::string write_header(const YamlNode& root) {
    std::string text = "  name = " + lua_string(job_.name) + ",\n";
    for (std::size_t i = 0; i < root.members.size(); ++i) {
      const auto& [key, line, column, value] = root.members[i];
      if (key == "job" || key == "stages" || key == "result") continue;
      text += comments_of(root, i, comments_.end(), 2);
      text += "  " + lua_key(key) + " = " + lua_value(data(value), 2) + ",\n";
    }
    return text;
  }

  // Stages that do not wait for each other go side by side, wave by wave.
  std::vector<std::vector<std::size_t>> waves() const {
    std::map<std::string, std::size_t> wave;
    for (std::size_t pass = 0; pass < job_.stages.size(); ++pass)
      for (const auto& stage : job_.stages)
        for (const auto& need : stage.needs) wave[stage.name] = std::max(wave[stage.name], wave[need] + 1);
    std::vector<std::vector<std::size_t>> result;
    for (std::size_t i = 0; i < job_.stages.size(); ++i) {
      const std::size_t number = wave[job_.stages[i].name];
      if (number >= result.size()) result.resize(number + 1);
      result[number].push_back(i);
    }
    return result;
  }

  std::string write_body() {
    std::string text = "    local stages = {}\n";
    const auto all = waves();
    std::size_t groups = 0;
    for (const auto& wave : all) {
      if (wave.size() == 1) {
        text += write_stage(wave[0], 4, false);
        continue;
      }
      text += "    gw.all(" + lua_string("together" + (++groups > 1 ? std::to_string(groups) : "")) + ", {\n";
      for (const std::size_t number : wave)
        text += "      " + lua_key(job_.stages[number].name) + " = function()\n" + write_stage(number, 8, true) +
                "      end,\n";
      text += "    })\n";
    }
    if (job_.result) {
      note_references(*job_.result);
      text += "    return " + lua_template(job_.result->value, 4) + "\n";
    } else {
      text += "    return " + output_of(job_.stages.back()) + "\n";
    }
    if (uses_run_)
      text.insert(0, "    local run = {id = tonumber(gw.run_id()), job = " + lua_string(job_.name) + "}\n");
    return text;
  }

  const YamlNode& stage_node(std::size_t number) const {
    return document_.root().find("stages")->members[number].value;
  }

  std::string write_stage(std::size_t number, std::size_t indent, bool branch) {
    const model::Stage& stage = job_.stages[number];
    const YamlNode& stages = *document_.root().find("stages");
    const auto& root = document_.root();
    int end = comments_.end();
    for (const auto& member : root.members)
      if (member.line > stages.members.front().line) end = std::min(end, comments_.first_above(member.line));
    std::string text = comments_of(stages, number, end, indent);
    if (stage.when) {
      note_references(*stage.when);
      text += spaces(indent) + "if " + trimmed(stage.when->source) + " then\n";
      indent += 2;
    }
    text += stage.foreach ? write_loop(stage, number, indent)
                          : spaces(indent) + output_of(stage) + " = " + work(stage, number, indent, branch) + "\n" +
                                check(stage, output_of(stage), indent);
    if (stage.when) text += spaces(indent - 2) + "end\n";
    return text;
  }

  std::string write_loop(const model::Stage& stage, std::size_t number, std::size_t indent) {
    note_references(*stage.foreach);
    const bool all = stage.on_item_error == model::OnItemError::fail;
    helpers_.insert(all ? kSucceeded : kRecorded);
    const std::string list = trimmed(stage.foreach->source);
    std::string text;
    std::string over = list;
    if (all) {
      over = stage.name + "_list";
      text += spaces(indent) + "local " + over + " = " + list + "\n";
    }
    text += spaces(indent) + output_of(stage) + " = " + (all ? "succeeded(" + over + ", " : "recorded(");
    text += "gw.each(" + lua_string(stage.name) + ", " + over + ", {parallel = " + std::to_string(stage.parallel) +
            (all ? "" : ", on_error = \"record\"") + "}, function(item, index)\n";
    const std::string inner = work(stage, number, indent + 2, true);
    if (uses_index_) text += spaces(indent + 2) + "index = index - 1\n";
    uses_index_ = false;
    const std::string checked = check(stage, "output", indent + 2);
    text += checked.empty() ? spaces(indent + 2) + "return " + inner + "\n"
                            : spaces(indent + 2) + "local output = " + inner + "\n" + checked + spaces(indent + 2) +
                                  "return output\n";
    return text + spaces(indent) + "end))\n";
  }

  // The call of gw that does what the stage does.
  std::string work(const model::Stage& stage, std::size_t number, std::size_t indent, bool own_scope) {
    note_references(stage.with);
    note_references(stage.wait.what);
    const std::string input = lua_template(stage.with.value, indent);
    switch (stage.kind) {
      case model::StageKind::call: {
        const std::string begin = own_scope ? "gw.call(" : "gw.stage(" + lua_string(stage.name) + ", ";
        return begin + lua_string(stage.uses) + arguments(input, options(stage, number, indent)) + ")";
      }
      case model::StageKind::statement: {
        const auto& with = stage.with.value.as_object();
        const auto* parameters = with.if_contains("parameters");
        return "gw.sql(" + lua_template(with.at("statement"), indent) + ", " +
               (parameters ? lua_template(*parameters, indent) : "{}") + name_and_timeout(stage, own_scope) + ")";
      }
      case model::StageKind::child:
        return "gw.child(" + lua_string(stage.uses) + ", " + input + name_and_timeout(stage, own_scope) + ")";
      case model::StageKind::sleep:
        return "gw.sleep(" + lua_template(stage.wait.what.value, indent) +
               (own_scope ? "" : ", " + lua_string(stage.name)) + ")";
      case model::StageKind::signal:
        return "{payload = gw.wait(" + lua_template(stage.wait.what.value, indent) +
               name_and_timeout(stage, own_scope) + ")}";
      case model::StageKind::approval:
        return "select(2, gw.approve(" + lua_string(stage.name) + approval(stage, indent) + "))";
    }
    return "nil";
  }

  // A step that is the only one of its scope is called like the scope.
  static std::string name_and_timeout(const model::Stage& stage, bool own_scope) {
    std::string text;
    if (!own_scope) text = "name = " + lua_string(stage.name);
    if (stage.timeout)
      text +=
          (text.empty() ? "" : ", ") + std::string("timeout = ") + lua_string(base::format_duration(*stage.timeout));
    return text.empty() ? text : ", {" + text + "}";
  }

  static std::string arguments(const std::string& input, const std::string& options) {
    if (options.empty()) return input == "{}" ? "" : ", " + input;
    return ", " + input + ", " + options;
  }

  static std::string approval(const model::Stage& stage, std::size_t indent) {
    std::string text;
    const auto add = [&](const char* key, const std::string& value) {
      text += (text.empty() ? "" : ", ") + std::string(key) + " = " + value;
    };
    if (!stage.wait.what.value.is_null()) add("message", lua_template(stage.wait.what.value, indent));
    if (!stage.wait.who.empty()) add("who", lua_value(json::value_from(stage.wait.who), indent));
    if (stage.timeout) add("within", lua_string(base::format_duration(*stage.timeout)));
    if (stage.wait.reminder) add("reminder", lua_string(base::format_duration(*stage.wait.reminder)));
    return text.empty() ? "" : ", {" + text + "}";
  }

  // What fails the run where YAML's wait would.
  std::string check(const model::Stage& stage, const std::string& name, std::size_t indent) const {
    if (stage.wait.goes_on) return {};
    if (stage.kind == model::StageKind::signal)
      return spaces(indent) + "if " + name +
             ".payload == nil then gw.fail(\"timeout\", \"the signal did not come\") end\n";
    if (stage.kind == model::StageKind::approval)
      return spaces(indent) + "if not " + name + ".approved then gw.fail(\"rejected\", \"it was not approved\") end\n";
    return {};
  }

  // The keys of a stage that say how a call is done, as they stand in the file.
  std::string options(const model::Stage& stage, std::size_t number, std::size_t indent) {
    std::string text;
    for (const auto& [key, line, column, value] : stage_node(number).members) {
      static const std::set<std::string> kOptions{"limits", "retry", "timeout", "retry_safe", "output", "emit"};
      if (!kOptions.contains(key)) continue;
      const bool evaluated = key == "output" || key == "emit";
      const std::string shown = evaluated ? bound(data(value), stage, indent) : lua_value(data(value), indent);
      text += (text.empty() ? "" : ", ") + key + " = " + shown;
    }
    return text.empty() ? text : "{" + text + "}";
  }

  // `output` and `emit` are evaluated where the step is recorded, which knows `output` alone; whatever else they
  // read goes with them.
  std::string bound(const json::value& value, const model::Stage& stage, std::size_t indent) {
    if (const auto* object = value.if_object()) {
      std::string text;
      for (const auto& [key, member] : *object)
        text += (text.empty() ? "" : ", ") + lua_key(key) + " = " + bound(member, stage, indent);
      return "{" + text + "}";
    }
    if (const auto* array = value.if_array()) {
      std::string text;
      for (const auto& item : *array) text += (text.empty() ? "" : ", ") + bound(item, stage, indent);
      return array->empty() ? "gw.array {}" : "{" + text + "}";
    }
    return value.is_string() ? bound_text(value.get_string()) : lua_value(value, indent);
  }

  std::string bound_text(std::string_view text) {
    using expression::TextPart;
    std::string result, literal;
    for (const auto& part : expression::split_text(text)) {
      if (part.kind == TextPart::Kind::literal) {
        literal += part.text;
        continue;
      }
      const auto names = foreign_names(part.text);
      if (names.empty()) {
        literal += "${" + part.text + "}";
        continue;
      }
      helpers_.insert(kLiteral);
      std::string list, values;
      for (const auto& name : names) {
        list += (list.empty() ? "" : ", ") + name;
        values += (values.empty() ? "" : " .. \", \" .. ") + std::string("literal(") + name + ")";
      }
      result += (result.empty() ? "" : " .. ") +
                lua_string(literal + "${ (function(" + list + ") return " + trimmed(part.text) + " end)(") + " .. " +
                values;
      literal = ") }";
    }
    if (result.empty()) return lua_string(literal);
    return result + (literal.empty() ? "" : " .. " + lua_string(literal));
  }

  std::set<std::string> foreign_names(const std::string& source) {
    std::set<std::string> names;
    const auto compiled = language_.compile(model::Expression{source, {}});
    for (const auto& reference : compiled->references())
      if (reference.root != "output") names.insert(reference.root);
    note_names(names);
    return names;
  }

  void note_names(const std::set<std::string>& names) {
    uses_run_ = uses_run_ || names.contains("run");
    uses_index_ = uses_index_ || names.contains("index");
  }
  template <typename Source>
  void note_references(const Source& source) {
    std::set<std::string> names;
    const auto compiled = language_.compile(source);
    for (const auto& reference : compiled->references()) names.insert(reference.root);
    note_names(names);
  }

  static std::string trimmed(std::string_view text) {
    const auto begin = text.find_first_not_of(" \t\r\n");
    if (begin == std::string_view::npos) return {};
    return std::string(text.substr(begin, text.find_last_not_of(" \t\r\n") + 1 - begin));
  }

  const model::Job& job_;
  const config::YamlDocument& document_;
  YamlComments comments_;
  expression::Language language_;
  std::set<const char*> helpers_;
  bool uses_run_ = false;
  bool uses_index_ = false;
};

}  // namespace

std::string to_lua(std::string_view yaml, const std::string& file) {
  const model::Job job = parse(yaml, file);
  const config::YamlDocument document(yaml, file);
  return JobWriter(job, document, yaml).write();
}

}  // namespace godwit::jobfile
