#include "jobfile/parameters.hpp"

#include "base/json_text.hpp"
#include "jobfile/wording.hpp"

namespace godwit::jobfile {
namespace {

// A shell takes one pair of quotes away, so whoever gives a parameter there needs two.
void add_shell_hints(std::vector<base::Error::Problem>& problems, const json::object& params) {
  for (auto& problem : problems) {
    const auto* given = params.if_contains(problem.place.path);
    if (!given || !problem.hint.starts_with(kQuotingHint)) continue;
    problem.hint += ", on a command line -p '" + problem.place.path + "=" + quoted_text(*given) + "'";
  }
}

}  // namespace

ParameterSchema::ParameterSchema(const model::Job& job, expression::Language& language)
    : job_(job.name), language_(language) {
  // A job without parameters is checked without a schema: it may be submitted thousands of times a second.
  if (!job.params.empty()) schema_.emplace(job.schema, "the parameters of job '" + job.name + "'");
  for (const auto& check : job.checks)
    checks_.push_back({language.compile(check.that), language.compile(check.message), check.path});
}

json::object ParameterSchema::check(json::object given) const {
  // Before anything goes down into them.
  for (const auto& member : given)
    if (base::is_too_deep(member.value()))
      throw base::refused("it is nested deeper than " + std::to_string(base::kJsonDepthMax) + " levels",
                          {.path = std::string(member.key())});
  if (!schema_) {
    if (given.empty()) return given;
    throw base::refused("job '" + job_ + "' has no parameters", {{}, 0, 0, std::string(given.begin()->key())});
  }
  json::value value(std::move(given));
  schema_->fill_defaults(value);
  auto problems = schema_->violations(value);
  add_shell_hints(problems, value.get_object());
  if (problems.empty()) problems = failed_checks(value);
  if (!problems.empty()) throw base::Error(base::ErrorKind::refused, std::move(problems));
  return std::move(value.get_object());
}

std::vector<base::Error::Problem> ParameterSchema::failed_checks(const json::value& params) const {
  std::vector<base::Error::Problem> problems;
  if (checks_.empty()) return problems;
  expression::Scope scope;
  scope.set("params", params);
  for (const auto& check : checks_) {
    const json::value result = language_.evaluate(*check.that, scope);
    if (!result.is_null() && result != json::value(false)) continue;
    const json::value message = language_.render(*check.message, scope);
    problems.push_back({message.is_string() ? std::string(message.get_string()) : base::serialize(message),
                        {{}, 0, 0, check.path},
                        {}});
  }
  return problems;
}

json::object check_parameters(const model::Job& job, json::object given) {
  expression::Language language;
  return ParameterSchema(job, language).check(std::move(given));
}

}  // namespace godwit::jobfile
