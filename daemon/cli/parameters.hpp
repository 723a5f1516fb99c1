#pragma once
#include <string>
#include <string_view>

#include "base/json.hpp"

namespace godwit::cli {

inline constexpr std::size_t kJobFileMax = 1u << 20;
inline constexpr std::size_t kParametersMax = 8u << 20;

// The file's bytes, "-" being standard input. Throws Error(not_found) when there is none, Error(refused) when it is a
// folder, longer than `limit` or not UTF-8.
std::string read_text(const std::string& path, std::size_t limit);
// A job file as the daemon takes it: a YAML file's text, or a script with the modules that lie beside it, in one.
std::string read_job_text(const std::string& path);

// The text as JSON when it reads as JSON, and else as a string.
base::json::value value_of(std::string_view text);

// Puts "a.b=V" into `params`: V is JSON when it reads as JSON and else text; "@FILE" stands for the file's content, in
// the same way. Throws Error(usage) when it is no K=V or leads through something that is not an object.
void set_parameter(base::json::object& params, std::string_view assignment);

// Whether a word names a job file rather than a job.
bool names_file(std::string_view word);

}  // namespace godwit::cli
