#include "jobfile/lua_writer.hpp"

#include <algorithm>
#include <map>
#include <set>

#include "config/yaml_document.hpp"
#include "expression/language.hpp"
#include "expression/references.hpp"
#include "expression/text_parts.hpp"
#include "jobfile/job_parser.hpp"
#include "jobfile/lua_helpers.hpp"
#include "jobfile/lua_text.hpp"
#include "jobfile/yaml_comments.hpp"

namespace godwit::jobfile {
namespace {

using config::YamlNode;

// stages.name, or stages["name"].
std::string output_of(const model::Stage& stage) {
  const std::string key = lua_key(stage.name);
  return "stages" + (key.starts_with('[') ? key : "." + key);
}

// These two stand before the other functions of kHelpers.
constexpr const char* kAsText = R"(-- A value as a longer text of YAML has it.
local function as_text(value)
  if value == nil then return "null" end
  return (value == gw.null or type(value) == "table") and json(value) or tostring(value)
end

)";
constexpr const char* kOrNull = R"(-- A member that may be nothing stays a member, as in YAML.
local function or_null(value)
  if value == nil then return gw.null end
  return value
end

)";

std::string spaces(std::size_t count) {
  return std::string(count, ' ');
}

// Which members of a value an expression reads. What it reads whole has none here.
class ReadMembers {
 public:
  void add(const std::vector<expression::PathStep>& path, std::size_t at = 1) {
    whole_ = whole_ || at == path.size();
    if (whole_) return members_.clear();
    const auto& step = path[at];
    members_[step.index > 0 ? "[" + std::to_string(step.index) + "]" : lua_key(step.key)].add(path, at + 1);
  }
  bool empty() const { return members_.empty(); }
  std::string text() const {
    std::string list;
    for (const auto& [key, members] : members_)
      list += (list.empty() ? "" : ", ") + key + " = " + (members.empty() ? "true" : members.text());
    return "{" + list + "}";
  }

 private:
  bool whole_ = false;
  std::map<std::string, ReadMembers> members_;
};

class JobWriter {
 public:
  JobWriter(const model::Job& job, const config::YamlDocument& document, std::string_view text)
      : job_(job), document_(document), comments_(text) {}

  std::string write() {
    const YamlNode& root = document_.root();
    const std::string header = write_header(root);
    const std::string body = write_run();
    const std::string endings = write_endings();
    std::string text;
    for (const auto& comment : comments_.between(1, root.members.front().line)) text += comment_line(comment, 0);
    text += "local gw = require \"godwit\"\n\n";
    for (const auto* helper : {kAsText, kOrNull})
      if (helpers_.contains(helper)) text += helper;
    for (const auto* helper : kHelpers)
      if (helpers_.contains(helper)) text += helper;
    return text + "return gw.job {\n" + header + "  run = function(params)\n" + body + "  end,\n" + endings + "}\n";
  }

 private:
  // A list of stages: of the job, of one of its endings, or of the items of a stage.
  struct List {
    const std::vector<model::Stage>& stages;
    const YamlNode& node;
    bool top = false;  // its comments are kept
  };
  const YamlNode& node_of(const List& list, const model::Stage& stage) const { return *list.node.find(stage.name); }

  [[noreturn]] void refuse(const YamlNode& node, const std::string& path, const std::string& what,
                           const std::string& hint) const {
    throw base::refused(what, document_.place(node, path), hint);
  }

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

  // What scripts say by what they do; everything else they say in the same words.
  static bool is_done(std::string_view key) {
    return key == "job" || key == "stages" || key == "result" || key == "continue_as" ||
           std::find(model::kEndings.begin(), model::kEndings.end(), key) != model::kEndings.end();
  }

  std::string write_header(const YamlNode& root) {
    std::string text = "  name = " + lua_string(job_.name) + ",\n";
    for (std::size_t i = 0; i < root.members.size(); ++i) {
      const auto& [key, line, column, value] = root.members[i];
      if (is_done(key)) continue;
      text += comments_of(root, i, comments_.end(), 2);
      text += "  " + lua_key(key) + " = " + lua_value(data(value), 2) + ",\n";
    }
    return text;
  }

  // Stages that do not wait for each other go side by side, wave by wave.
  static std::vector<std::vector<std::size_t>> waves(const std::vector<model::Stage>& stages) {
    std::map<std::string, std::size_t> wave;
    for (const auto& stage : stages) wave[stage.name] = 0;
    for (std::size_t pass = 0; pass < stages.size(); ++pass)
      for (const auto& stage : stages)
        for (const auto& need : stage.needs)
          if (const auto before = wave.find(need); before != wave.end())
            wave[stage.name] = std::max(wave[stage.name], before->second + 1);
    std::vector<std::vector<std::size_t>> result;
    for (std::size_t i = 0; i < stages.size(); ++i) {
      const std::size_t number = wave[stages[i].name];
      if (number >= result.size()) result.resize(number + 1);
      result[number].push_back(i);
    }
    return result;
  }

  std::string about_run(std::size_t indent) {
    if (!std::exchange(uses_run_, false)) return {};
    return spaces(indent) + "local run = {id = tonumber(gw.run_id()), job = " + lua_string(job_.name) +
           ", submitted_at = (gw.now())}\n";
  }

  std::string write_run() {
    const List list{job_.stages, *document_.root().find("stages"), true};
    std::string text = "    local stages = {}\n" + write_stages(list, 4);
    if (job_.result) note_references(*job_.result);
    const std::string result = job_.result ? code(job_.result->value, 4) : output_of(job_.stages.back());
    text += write_next(result) + "    return " + result + "\n";
    return about_run(4) + text;
  }

  std::string write_next(const std::string& result) {
    if (!job_.continue_as) return {};
    note_references(job_.continue_as->with);
    const std::string next = "gw.continue_as(" + code(job_.continue_as->with.value, 4) + ", " + result + ")\n";
    if (!job_.continue_as->when) return "    " + next;
    note_references(*job_.continue_as->when);
    return "    if " + condition(job_.continue_as->when->source) + " then " + next.substr(0, next.size() - 1) +
           " end\n";
  }

  std::string write_endings() {
    std::string text;
    for (std::size_t i = 0; i < job_.endings.size(); ++i) {
      if (job_.endings[i].empty()) continue;
      const std::string name(model::kEndings[i]);
      const YamlNode& node = *document_.root().find(name);
      own_stages_ = &job_.endings[i];
      ending_ = &node;
      const std::string body = write_stages({job_.endings[i], node}, 4);
      ending_ = nullptr;
      text +=
          "  " + name + " = function(outcome, params)\n" + about_run(4) + "    local stages = {}\n" + body + "  end,\n";
    }
    return text;
  }

  std::string write_stages(const List& list, std::size_t indent) {
    std::string text;
    for (const auto& wave : waves(list.stages)) {
      if (wave.size() == 1) {
        text += write_stage(list, wave[0], indent, false);
        continue;
      }
      text += spaces(indent) + "gw.all(" + lua_string("together" + (++groups_ > 1 ? std::to_string(groups_) : "")) +
              ", {\n";
      for (const std::size_t number : wave)
        text += spaces(indent + 2) + lua_key(list.stages[number].name) + " = function()\n" +
                write_stage(list, number, indent + 4, true) + spaces(indent + 2) + "end,\n";
      text += spaces(indent) + "})\n";
    }
    return text;
  }

  std::string stage_comments(const List& list, std::size_t number, std::size_t indent) const {
    if (!list.top) return {};
    int end = comments_.end();
    for (const auto& member : document_.root().members)
      if (member.line > list.node.members.front().line) end = std::min(end, comments_.first_above(member.line));
    return comments_of(list.node, number, end, indent);
  }

  std::string write_stage(const List& list, std::size_t number, std::size_t indent, bool branch) {
    const model::Stage& stage = list.stages[number];
    std::string text = stage_comments(list, number, indent);
    if (stage.when) {
      note_references(*stage.when);
      text += spaces(indent) + "if " + condition(stage.when->source) + " then\n";
      indent += 2;
    }
    if (stage.kind == model::StageKind::lock && branch)
      refuse(node_of(list, stage), stage.name, "stage '" + stage.name + "' takes a lock beside other stages",
             "let the others need it: a script lets go of what a branch has locked when the branch ends");
    text += stage.foreach ? write_loop(list, stage, indent)
                          : spaces(indent) + output_of(stage) + " = " + work(list, stage, indent, branch) + "\n";
    if (stage.when) text += spaces(indent - 2) + "end\n";
    return text;
  }

  std::string write_loop(const List& list, const model::Stage& stage, std::size_t indent) {
    note_references(*stage.foreach);
    const bool all = stage.on_item_error == model::OnItemError::fail;
    helpers_.insert(all ? kSucceeded : kRecorded);
    if (all && stage.grow) helpers_.insert(kGrown);
    const bool skip = stage.on_item_error == model::OnItemError::skip;
    if (skip) helpers_.insert(kWithoutFailed);
    std::string text;
    std::string over = trimmed(stage.foreach->source);
    std::string shaped = skip ? "without_failed(recorded(" : "recorded(";
    if (all && stage.grow) {
      shaped = "grown(";
    } else if (all) {
      text += spaces(indent) + "local " + stage.name + "_list = " + over + "\n";
      over = stage.name + "_list";
      shaped = "succeeded(" + over + ", ";
    }
    text += spaces(indent) + output_of(stage) + " = " + shaped + (stage.grow ? "gw.frontier(" : "gw.each(") +
            lua_string(stage.name) + ", " + over + ", " + loop_options(stage, all) + ", function(item, " +
            (stage.grow ? "grow" : "index") + ")\n";
    // What is inside says whether it needs the index, which is that of the innermost loop.
    const bool outer = std::exchange(uses_index_, false);
    const std::string inner = write_item(list, stage, indent + 2, all);
    if (uses_index_ && stage.grow)
      refuse(node_of(list, stage), stage.name, "stage '" + stage.name + "' reads `index` in a list that grows",
             "gw.frontier does not tell the index; tell items apart by what they are");
    if (uses_index_) text += spaces(indent + 2) + "index = index - 1\n";
    uses_index_ = outer;
    return text + inner + spaces(indent) + (skip ? "end)))\n" : "end))\n");
  }

  std::string loop_options(const model::Stage& stage, bool all) {
    std::string text = "{parallel = " + std::to_string(stage.parallel);
    if (!all) text += ", on_error = \"record\"";
    if (stage.grow) {
      if (stage.grow->key) {
        note_references(*stage.grow->key);
        helpers_.insert(kLiteral);
        text += ", key = function(item) return literal(" + trimmed(stage.grow->key->source) + ") end";
      }
      text += ", depth = " + std::to_string(stage.grow->depth) + ", max = " + std::to_string(stage.grow->max);
    }
    return text + "}";
  }

  // What is done for one item.
  std::string write_item(const List& list, const model::Stage& stage, std::size_t indent, bool all) {
    std::string text, output;
    if (stage.stages.empty()) {
      output = work(list, stage, indent, true);
    } else {
      helpers_.insert(kWithin);
      const List body{stage.stages, *node_of(list, stage).find("stages")};
      text = spaces(indent) + "local stages = within(stages)\n" + write_stages(body, indent);
      if (stage.output) note_references(*stage.output);
      output = stage.output ? code(stage.output->value, indent) : output_of(stage.stages.back());
    }
    if (!stage.grow) return text + spaces(indent) + "return " + output + "\n";
    note_references(stage.grow->items);
    text += spaces(indent) + "local output = " + output + "\n";
    text += spaces(indent) + "local found = " + trimmed(stage.grow->items.source) + "\n";
    text += spaces(indent) + "for _, one in ipairs(type(found) == \"table\" and found or {}) do grow(one) end\n";
    return text + spaces(indent) + (all ? "return {item, output}\n" : "return output\n");
  }

  // Whether an expression gives nothing in a script where YAML has null: a stage that was skipped, a parameter that was
  // not given. An item and its index are always there, and so are most parameters.
  bool may_be_nothing(const std::string& source) const {
    if (source == "item" || source == "index") return false;
    constexpr std::string_view kParams = "params.";
    if (!source.starts_with(kParams)) return true;
    const std::string name = source.substr(kParams.size());
    const auto* param = job_.params.if_contains(name);
    if (!param) return true;
    if (param->is_object() && param->get_object().contains("default")) return false;
    const auto* required = job_.schema.if_contains("required");
    const auto* names = required ? required->if_array() : nullptr;
    return !names || std::find(names->begin(), names->end(), json::value(name)) == names->end();
  }

  // A value with ${...} as Lua. Nil would take a member out of its table and tear a hole into a list, so that what may
  // be nothing is made null there.
  std::string code(const json::value& value, std::size_t indent) { return lua_template(with_nulls(value), indent); }

  json::value with_nulls(const json::value& value, bool inside = false) {
    if (const auto* object = value.if_object()) {
      json::object result;
      for (const auto& [key, member] : *object) result[key] = with_nulls(member, true);
      return result;
    }
    if (const auto* array = value.if_array()) {
      json::array result;
      for (const auto& item : *array) result.push_back(with_nulls(item, true));
      return result;
    }
    return value.is_string() ? text_with_null(value, inside) : value;
  }

  json::value text_with_null(const json::value& text, bool inside) {
    using expression::TextPart;
    const auto parts = expression::split_text(text.get_string());
    const auto is_expression = [](const TextPart& part) { return part.kind != TextPart::Kind::literal; };
    if (parts.size() != 1 || !is_expression(parts[0])) {
      if (std::any_of(parts.begin(), parts.end(), is_expression)) helpers_.insert(kAsText);
      return text;
    }
    const std::string source = trimmed(parts[0].text);
    if (!inside || !may_be_nothing(source)) return text;
    helpers_.insert(kOrNull);
    return json::value("${ or_null(" + source + ") }");
  }

  // The call of gw that does what the stage does. A step that is the only one of its scope is called like the scope.
  std::string work(const List& list, const model::Stage& stage, std::size_t indent, bool own_scope) {
    note_references(stage.with);
    note_references(stage.wait.what);
    const std::string input = code(stage.with.value, indent);
    if (stage.kind != model::StageKind::call) check_no_emit(list, stage);
    switch (stage.kind) {
      case model::StageKind::call: {
        const std::string begin = own_scope ? "gw.call(" : "gw.stage(" + lua_string(stage.name) + ", ";
        return begin + lua_string(stage.uses) + arguments(input, options(list, stage, {}, indent)) + ")";
      }
      case model::StageKind::statement: {
        const auto* with = stage.with.value.if_object();
        if (!with)
          refuse(*node_of(list, stage).find("with"), stage.name + ".with",
                 "the statement of stage '" + stage.name + "' is known only when it runs",
                 "write `with: {statement: ..., parameters: ...}`");
        const auto* parameters = with->if_contains("parameters");
        return "gw.sql(" + code(with->at("statement"), indent) +
               arguments(parameters ? code(*parameters, indent) : "{}",
                         options(list, stage, own_scope ? "" : stage.name, indent)) +
               ")";
      }
      case model::StageKind::child:
        return shaped(stage, indent,
                      "gw.child(" + lua_string(stage.uses) + ", " + input + wait_options(stage, own_scope) + ")");
      case model::StageKind::sleep:
        return shaped(
            stage, indent,
            "gw.sleep(" + code(stage.wait.what.value, indent) + (own_scope ? "" : ", " + lua_string(stage.name)) + ")");
      case model::StageKind::signal: {
        const std::string wait =
            "select(2, gw.wait(" + code(stage.wait.what.value, indent) + wait_options(stage, own_scope) + "))";
        // When the time is over there is nothing, and not a reason.
        return shaped(stage, indent,
                      stage.wait.goes_on
                          ? "(function(about) return type(about) == \"table\" and about or nil end)(" + wait + ")"
                          : wait);
      }
      case model::StageKind::lock:
        return "gw.lock(" + code(stage.wait.what.value, indent) + lock_options(stage) + ")";
      case model::StageKind::approval:
        return shaped(stage, indent, "select(2, gw.approve(" + lua_string(stage.name) + approval(stage, indent) + "))");
    }
    return "nil";
  }

  void check_no_emit(const List& list, const model::Stage& stage) const {
    if (const YamlNode* emit = node_of(list, stage).find("emit"))
      refuse(*emit, stage.name + ".emit", "stage '" + stage.name + "' emits rows with a step that calls no method",
             "gw.emit after the step writes them, as a step of its own");
  }

  // What is kept of the output of a step that no plugin does.
  std::string shaped(const model::Stage& stage, std::size_t indent, const std::string& work) {
    if (!stage.output) return work;
    note_references(*stage.output);
    return "(function(output) return " + code(stage.output->value, indent) + " end)(" + work + ")";
  }

  // Of gw.child and gw.wait.
  static std::string wait_options(const model::Stage& stage, bool own_scope) {
    std::string text;
    const auto add = [&](const char* key, const std::string& value) {
      text += (text.empty() ? "" : ", ") + std::string(key) + " = " + value;
    };
    if (!own_scope) add("name", lua_string(stage.name));
    if (stage.timeout) add("timeout", lua_string(base::format_duration(*stage.timeout)));
    if (stage.kind == model::StageKind::signal && stage.timeout && !stage.wait.goes_on) add("otherwise", "\"fail\"");
    return text.empty() ? text : ", {" + text + "}";
  }

  static std::string lock_options(const model::Stage& stage) {
    std::string text = ", {name = " + lua_string(stage.name);
    if (stage.wait.permits != 1) text += ", permits = " + std::to_string(stage.wait.permits);
    if (stage.timeout) text += ", timeout = " + lua_string(base::format_duration(*stage.timeout));
    return text + "}";
  }

  static std::string arguments(const std::string& input, const std::string& options) {
    if (options.empty()) return input == "{}" ? "" : ", " + input;
    return ", " + input + ", " + options;
  }

  std::string approval(const model::Stage& stage, std::size_t indent) {
    std::string text;
    const auto add = [&](const char* key, const std::string& value) {
      text += (text.empty() ? "" : ", ") + std::string(key) + " = " + value;
    };
    if (!stage.wait.what.value.is_null()) add("text", code(stage.wait.what.value, indent));
    if (!stage.wait.who.empty()) add("who", lua_value(json::value_from(stage.wait.who), indent));
    if (stage.timeout) add("within", lua_string(base::format_duration(*stage.timeout)));
    if (stage.wait.reminder) add("remind", lua_string(base::format_duration(*stage.wait.reminder)));
    if (!stage.wait.goes_on) add("otherwise", "\"fail\"");
    return text.empty() ? "" : ", {" + text + "}";
  }

  // The keys of a stage that say how a call is done, as they stand in the file.
  std::string options(const List& list, const model::Stage& stage, const std::string& name, std::size_t indent) {
    std::string text;
    if (!name.empty()) text = "name = " + lua_string(name);
    for (const auto& [key, line, column, value] : node_of(list, stage).members) {
      static const std::set<std::string> kOptions{"limits", "retry", "timeout", "retry_safe",
                                                  "output", "emit",  "env",     "provider_down"};
      if (!kOptions.contains(key)) continue;
      if (key == "limits") check_uses(stage, value);
      const bool evaluated = key == "output" || key == "emit" || key == "env";
      const std::string shown = evaluated ? bound(data(value), stage, indent) : lua_value(data(value), indent);
      text += (text.empty() ? "" : ", ") + key + " = " + shown;
    }
    return text.empty() ? text : "{" + text + "}";
  }

  // What a call takes of limits sees the parameters and its own input in a script, and nothing else.
  void check_uses(const model::Stage& stage, const YamlNode& node) {
    const auto check = [&](const std::string& source) {
      const auto compiled = language_.compile(model::Expression{source, {}});
      for (const auto& reference : compiled->references())
        if (reference.root != "params")
          refuse(node, stage.name + ".limits", "the limits of stage '" + stage.name + "' read `" + reference.root + "`",
                 "a script puts the name and the number together itself");
    };
    for (const auto& [name, use] : stage.limits) {
      if (use.amount) check(use.amount->source);
      for (const auto& part : expression::split_text(use.key ? name : std::string()))
        if (part.kind == expression::TextPart::Kind::expression) check(part.text);
    }
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
      const auto reads = foreign_reads(part.text);
      if (reads.empty()) {
        literal += "${" + part.text + "}";
        continue;
      }
      helpers_.insert(kLiteral);
      std::string list, values;
      for (const auto& [name, read] : reads) {
        list += (list.empty() ? "" : ", ") + name;
        const std::string members = read.empty() ? "" : ", " + read.text();
        values += (values.empty() ? "" : " .. \", \" .. ") + std::string("literal(") + name + members + ")";
      }
      result += (result.empty() ? "" : " .. ") +
                lua_string(literal + "${ (function(" + list + ") return " + trimmed(part.text) + " end)(") + " .. " +
                values;
      literal = ") }";
    }
    if (result.empty()) return lua_string(literal);
    return result + (literal.empty() ? "" : " .. " + lua_string(literal));
  }

  // What an expression reads but the step's own output, by name.
  std::map<std::string, ReadMembers> foreign_reads(const std::string& source) {
    std::map<std::string, ReadMembers> reads;
    std::set<std::string> names;
    for (const auto& path : expression::find_reads(expression::tokens(source))) {
      if (path.front().key == "output") continue;
      names.insert(path.front().key);
      reads[path.front().key].add(path);
    }
    note_names(names);
    return reads;
  }

  // Whether a stage of the list that is being written, or of the items in it, has this name.
  static bool has_stage(const std::vector<model::Stage>& stages, const std::string& name) {
    return std::any_of(stages.begin(), stages.end(),
                       [&](const model::Stage& stage) { return stage.name == name || has_stage(stage.stages, name); });
  }

  void note_names(const std::set<std::string>& names) {
    uses_run_ = uses_run_ || names.contains("run");
    uses_index_ = uses_index_ || names.contains("index");
  }
  template <typename Source>
  void note_references(const Source& source) {
    std::set<std::string> names;
    const auto compiled = language_.compile(source);
    for (const auto& reference : compiled->references()) {
      names.insert(reference.root);
      if (ending_ && reference.root == "stages" && !has_stage(*own_stages_, reference.member))
        refuse(*ending_, {},
               "the end of the run reads stages." + reference.member + ", which a script's end does not see",
               "it gets (outcome, params); let the run give what is needed as its result");
    }
    note_names(names);
  }

  // A comparison gives true or false; of others, null is no more true than false.
  std::string condition(std::string_view source) {
    const std::string text = trimmed(source);
    for (const char* comparison : {"==", "~=", "<", ">"})
      if (text.find(comparison) != std::string::npos) return text;
    if (text.starts_with("not ")) return text;
    helpers_.insert(kHolds);
    return "holds(" + text + ")";
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
  const std::vector<model::Stage>* own_stages_ = nullptr;  // of the ending that is being written
  const YamlNode* ending_ = nullptr;
  std::size_t groups_ = 0;  // of stages that go side by side
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
