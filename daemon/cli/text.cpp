#include "cli/text.hpp"

#include <algorithm>
#include <ctime>

#include <spdlog/fmt/fmt.h>

#include "base/json_text.hpp"
#include "base/pretty.hpp"
#include "base/terminal.hpp"
#include "base/time.hpp"
#include "cli/progress.hpp"
#include "cli/table.hpp"
#include "wire/rpc.hpp"

namespace godwit::cli {
namespace {

namespace json = base::json;

// A value in a line: text as it is, a list of plain values with commas, the rest as JSON.
std::string cell(const json::value& value) {
  if (value.is_null()) return {};
  if (value.is_string()) return std::string(value.get_string());
  // As many digits as every double keeps: a price must not be rounded, nor 0.1 + 0.2 be 0.30000000000000004.
  if (value.is_double()) return fmt::format("{:.15g}", value.get_double());
  const auto* list = value.if_array();
  if (!list || std::any_of(list->begin(), list->end(), [](const json::value& entry) { return entry.is_structured(); }))
    return base::serialize(value);
  std::string text;
  for (const auto& entry : *list) text += (text.empty() ? "" : ", ") + cell(entry);
  return text;
}

bool is_table(const json::value& value) {
  const auto* list = value.if_array();
  return list && !list->empty() &&
         std::all_of(list->begin(), list->end(), [](const json::value& entry) { return entry.is_object(); });
}

std::string indented(const std::string& lines, std::size_t indent) {
  std::string out;
  for (std::size_t begin = 0; begin < lines.size();) {
    const std::size_t end = std::min(lines.find('\n', begin), lines.size() - 1) + 1;
    out += std::string(indent, ' ') + lines.substr(begin, end - begin);
    begin = end;
  }
  return out;
}

}  // namespace

std::string text_of(const json::object& object, std::string_view name) {
  const auto* value = object.if_contains(name);
  return value ? cell(*value) : std::string();
}

const json::object* object_of(const json::object& object, std::string_view name) {
  const auto* value = object.if_contains(name);
  return value ? value->if_object() : nullptr;
}

const json::array* array_of(const json::object& object, std::string_view name) {
  const auto* value = object.if_contains(name);
  return value ? value->if_array() : nullptr;
}

std::int64_t number_of(const json::object& object, std::string_view name) {
  const auto* value = object.if_contains(name);
  return value && value->is_int64() ? value->get_int64() : 0;
}

std::string local_time(const json::object& object, std::string_view name) {
  const std::string given = text_of(object, name);
  const auto instant = base::parse_instant(given);
  if (!instant) return given;
  const std::time_t seconds = base::to_microseconds(*instant) / 1'000'000;
  std::tm parts{};
  char text[32];
  if (!::localtime_r(&seconds, &parts) || std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &parts) == 0)
    return given;
  return text;
}

std::string time_between(const json::object& object, std::string_view from, std::string_view to) {
  const auto begin = base::parse_instant(text_of(object, from));
  if (!begin) return {};
  const auto end = base::parse_instant(text_of(object, to));
  const auto took = end.value_or(base::now()) - *begin;
  if (took < std::chrono::seconds(10)) {
    return base::format_duration(
        std::max<base::Duration>(std::chrono::floor<std::chrono::milliseconds>(took), base::Duration(0)));
  }
  return clock_text(std::chrono::floor<std::chrono::seconds>(took));
}

std::string failure_text(const json::object& failure, bool with_step) {
  const std::string code = text_of(failure, "code");
  const std::string path = with_step ? text_of(failure, "path") : std::string();
  std::string text = code.empty() ? "" : code + ": ";
  text += text_of(failure, "message");
  return path.empty() ? text : text + " (step " + path + ")";
}

std::string left_out_text(const json::object& answer, const std::string& name, model::RunId run) {
  const auto bytes = number_of(answer, name + "_bytes");
  if (bytes == 0) return {};
  const auto tenths = bytes * 10 / (1 << 20);
  const std::string size = std::to_string(tenths / 10) + "." + std::to_string(tenths % 10) + " MiB";
  const bool is_result = name == "result";
  return "the " + name + " of run " + model::text(run) + (is_result ? " has " : " have ") + size +
         ", more than an answer carries; read " + (is_result ? "it" : "them") + " with SQL: select " + name +
         " from godwit." + (is_result ? "results" : "runs") + " where run = " + model::text(run);
}

std::string one_line(std::string text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.pop_back();
  std::string line;
  bool broken = false;  // since the last thing that is to be seen
  for (const char c : text) {
    broken = broken || c == '\n' || c == '\r';
    if (broken && (c == '\n' || c == '\r' || c == ' ')) continue;
    if (std::exchange(broken, false) && !line.ends_with(' ')) line += ' ';
    line += c;
  }
  return line;
}

std::vector<std::string> problem_texts(const json::object& report, std::string_view member) {
  std::vector<std::string> texts;
  const auto* problems = array_of(report, member);
  if (!problems) return texts;
  for (const auto& problem : *problems) {
    if (problem.is_object()) {
      texts.push_back(wire::problems_from_json({problem}).front().text());
    } else {
      texts.push_back(problem.is_string() ? std::string(problem.get_string()) : base::serialize(problem));
    }
  }
  return texts;
}

std::string log_line(const json::object& line) {
  const std::string level = text_of(line, "level"), path = text_of(line, "path");
  std::string text = local_time(line, "at");
  if (level != "info") text += " " + level;
  // What a script says belongs to no step.
  if (!path.empty()) text += " " + path;
  text += path.empty() && level == "info" ? " " : ": ";
  text += text_of(line, "text");
  if (const auto* fields = object_of(line, "fields"))
    for (const auto& [key, value] : *fields) {
      text.append(" ").append(key).append("=");
      if (value.is_string())
        text += std::string_view(value.get_string());
      else
        text += base::serialize(value);
    }
  return base::printable(text) + "\n";
}

std::string pretty(const json::value& value) {
  return base::printable(base::pretty(value), true) + "\n";
}

std::string outline(const json::object& object, std::size_t indent) {
  std::string out;
  for (const auto& member : object) {
    const auto& value = member.value();
    const std::string name = std::string(indent, ' ') + base::printable(member.key()) + ":";
    if (value.is_object() && !value.get_object().empty()) {
      out += name + "\n" + outline(value.get_object(), indent + 2);
    } else if (is_table(value)) {
      out += name + "\n" + indented(table_of(value.get_array(), 0), indent + 2);
    } else {
      out += name + " " + base::printable(cell(value)) + "\n";
    }
  }
  return out;
}

std::string table_of(const json::array& list, std::size_t width) {
  std::vector<std::string> names;
  for (const auto& entry : list) {
    if (!entry.is_object()) continue;
    for (const auto& member : entry.get_object())
      if (std::find(names.begin(), names.end(), std::string_view(member.key())) == names.end())
        names.emplace_back(member.key());
  }
  if (names.empty()) return {};
  std::vector<Table::Column> columns;
  for (const auto& name : names) {
    std::string heading = base::printable(name);
    std::transform(heading.begin(), heading.end(), heading.begin(),
                   [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; });
    const bool numbers = std::all_of(list.begin(), list.end(), [&](const json::value& entry) {
      const auto* value = entry.is_object() ? entry.get_object().if_contains(name) : nullptr;
      return !value || value->is_number() || value->is_null();
    });
    columns.push_back({heading, numbers ? Table::Align::right : Table::Align::left});
  }
  Table table(std::move(columns));
  for (const auto& entry : list) {
    if (!entry.is_object()) continue;
    std::vector<std::string> cells;
    for (const auto& name : names) cells.push_back(text_of(entry.get_object(), name));
    table.add(std::move(cells));
  }
  return table.text(width);
}

}  // namespace godwit::cli
