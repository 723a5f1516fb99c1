#include "engine/script_waits.hpp"

#include "base/json_text.hpp"

namespace godwit::engine {

namespace json = base::json;

namespace {

std::optional<base::Duration> duration(const json::object& input, std::string_view key) {
  const auto* value = input.if_contains(key);
  if (!value) return std::nullopt;
  if (value->is_number()) return base::Duration(static_cast<std::int64_t>(value->to_number<double>() * 1e6));
  const auto parsed = value->is_string() ? base::parse_duration(value->get_string()) : std::nullopt;
  if (!parsed)
    throw base::refused(std::string(key) + " must be a duration such as \"2h\", not " + base::serialize(*value));
  return parsed;
}

std::string text(const json::object& input, std::string_view key) {
  const auto* value = input.if_contains(key);
  if (!value) return {};
  if (!value->is_string()) throw base::refused(std::string(key) + " must be a text");
  return std::string(value->get_string());
}

std::vector<std::string> texts(const json::object& input, std::string_view key) {
  const auto* value = input.if_contains(key);
  if (!value) return {};
  if (value->is_string()) return {std::string(value->get_string())};
  std::vector<std::string> result;
  if (!value->is_array()) throw base::refused(std::string(key) + " must be a text or a list of texts");
  for (const auto& item : value->get_array()) {
    if (!item.is_string()) throw base::refused(std::string(key) + " must be a text or a list of texts");
    result.emplace_back(item.get_string());
  }
  return result;
}

// Whether what ends without what was waited for is a failure of the step.
bool fails(const json::object& input) {
  const std::string otherwise = text(input, "otherwise");
  if (otherwise != "" && otherwise != "fail" && otherwise != "go_on")
    throw base::refused("otherwise must be \"fail\" or \"go_on\", not \"" + otherwise.substr(0, 40) + "\"");
  return otherwise == "fail";
}

SqlWork statement(const json::object& input) {
  SqlWork work{text(input, "statement"), {}};
  if (const auto* args = input.if_contains("args")) {
    if (!args->is_array()) throw base::refused("the values of a statement are a list");
    for (const auto& value : args->get_array()) work.parameters.push_back(base::serialize(value));
  }
  return work;
}

}  // namespace

StepWork script_wait(const model::script::Request& asked, base::Instant now) {
  const json::value parsed = base::parse_json(asked.input);
  const json::object& input = parsed.as_object();
  if (asked.kind == "sleep") {
    if (const auto until = base::parse_instant(text(input, "until"))) return SleepWork{*until};
    return SleepWork{now + duration(input, "for").value_or(base::Duration(0))};
  }
  if (asked.kind == "wait") return SignalWork{asked.uses, duration(input, "timeout"), fails(input)};
  if (asked.kind == "approve") {
    ApprovalWork work{.rejection_fails = fails(input)};
    work.text = text(input, "text");
    if (work.text.empty()) work.text = asked.path;
    work.who = texts(input, "who");
    work.within = duration(input, "within");
    work.remind = duration(input, "remind");
    return work;
  }
  if (asked.kind == "lock") {
    LockWork work{asked.uses, 1, duration(input, "timeout")};
    if (const auto* permits = input.if_contains("permits")) {
      if (!permits->is_int64() || permits->get_int64() < 1 || permits->get_int64() > 10'000)
        throw base::refused("permits must be an integer from 1 to 10000");
      work.permits = static_cast<int>(permits->get_int64());
    }
    return work;
  }
  if (asked.kind == "child")
    return ChildWork{asked.uses, duration(base::parse_json(asked.options).as_object(), "timeout")};
  if (asked.kind == "sql") return statement(input);
  throw base::refused("gw." + asked.kind + " is not known to this daemon");
}

}  // namespace godwit::engine
