#pragma once
#include <string>
#include <string_view>

#include "base/json.hpp"
#include "model/run.hpp"

namespace godwit::cli {

// How members of the daemon's answers are shown to people. A member that is missing, null or of another type is shown
// as nothing.

std::string text_of(const base::json::object& object, std::string_view name);
const base::json::object* object_of(const base::json::object& object, std::string_view name);
const base::json::array* array_of(const base::json::object& object, std::string_view name);
std::int64_t number_of(const base::json::object& object, std::string_view name);
// An instant of the daemon's in this machine's time zone: "2026-11-22 16:45:41".
std::string local_time(const base::json::object& object, std::string_view name);
// The time between two instants; until now when the second is missing.
std::string time_between(const base::json::object& object, std::string_view from, std::string_view to);
// "code: message (step search[3])" of a failure.
std::string failure_text(const base::json::object& failure, bool with_step = true);
// The problems in a member of a report: they come as objects with their place, or as sentences.
std::vector<std::string> problem_texts(const base::json::object& report, std::string_view member);
// For an answer that has NAME_bytes instead of NAME, `result` or `params`, since it is too long: how long it is, and
// how it can be had. Empty for one that has all.
std::string left_out_text(const base::json::object& answer, const std::string& name, model::RunId run);
// A text of several lines on one.
std::string one_line(std::string text);
// One line of a run's log, with its line feed.
std::string log_line(const base::json::object& line);

// JSON over several lines, members in the order they have. Short lists and objects stay on one line.
std::string pretty(const base::json::value& value);
// An object as "name: value" lines, objects inside indented, lists of objects as tables.
std::string outline(const base::json::object& object, std::size_t indent = 0);
// A table of a list of objects; its columns are their members, in the order they first come up.
std::string table_of(const base::json::array& list, std::size_t width);

}  // namespace godwit::cli
