#include "control/commands/all.hpp"
#include "jobfile/graph.hpp"
#include "wire/rpc.hpp"

namespace godwit::control::commands {
namespace {

namespace json = base::json;

const std::vector<Parameter> kJobOrText{
    {"job", ParameterType::text, false, "the name of a job in the daemon's job folders"},
    {"text", ParameterType::text, false, "a whole job file, instead of `job`"},
    {"file", ParameterType::text, false, "the name of that file, for messages"}};

std::vector<Parameter> job_or_text_and(Parameter more) {
  auto list = kJobOrText;
  list.push_back(more);
  return list;
}

std::shared_ptr<const model::Job> job_of(const Services& services, const Arguments& arguments) {
  if (arguments.has("job") == arguments.has("text")) throw base::refused("give `job` or `text`, one of the two");
  if (arguments.has("job")) return services.library.find(arguments.text("job"));
  return std::make_shared<const model::Job>(services.library.parse(arguments.text("text"), arguments.text("file")));
}

json::array stages_of(const model::Job& job) {
  json::array stages;
  for (const auto& stage : job.stages) {
    json::object entry{{"name", stage.name},
                       {"kind", model::name(stage.kind)},
                       {"uses", model::work_text(stage)},
                       {"needs", json::value_from(stage.needs)}};
    if (stage.foreach) entry["foreach"] = stage.foreach->source;
    if (stage.when) entry["when"] = stage.when->source;
    if (!stage.limits.empty()) {
      json::object limits;
      for (const auto& [name, use] : stage.limits)
        limits[name] = use.amount ? json::value("${" + use.amount->source + "}") : json::value(use.count);
      entry["limits"] = std::move(limits);
    }
    if (stage.timeout) entry["timeout"] = base::format_duration(*stage.timeout);
    if (stage.retry.attempts > 1) entry["attempts"] = stage.retry.attempts;
    stages.push_back(std::move(entry));
  }
  return stages;
}

// Each as people write it, without what is as always.
json::array schedules_of(const model::Job& job) {
  json::array list;
  for (const auto& schedule : job.schedules) {
    auto shown = model::to_json(schedule);
    shown.erase("job");
    list.push_back(std::move(shown));
  }
  return list;
}

json::object summary_of(const model::Job& job) {
  return {{"job", job.name},
          {"version", job.version},
          {"description", job.description},
          {"file", job.file},
          {"stages", job.stages.size()}};
}

}  // namespace

Command job_list(Services& services) {
  return {"job.list", Role::viewer, "Lists the jobs of the daemon's job folders.", {}, [&services](Call call) {
            json::array jobs;
            for (const auto& job : services.library.list()) jobs.push_back(summary_of(*job));
            call.reply.result(jobs);
          }};
}

Command job_show(Services& services) {
  return {"job.show",
          Role::viewer,
          "Shows one job: parameters, stages and the file's text.",
          {{"job", ParameterType::text, true, "the name of the job"}},
          [&services](Call call) {
            const auto job = services.library.find(call.arguments.text("job"));
            auto shown = summary_of(*job);
            shown["params"] = job->params;
            if (job->timeout) shown["timeout"] = base::format_duration(*job->timeout);
            if (!job->queue.empty()) shown["queue"] = job->queue;
            if (job->priority != 0) shown["priority"] = job->priority;
            if (!job->schedules.empty()) shown["schedules"] = schedules_of(*job);
            if (!job->limits.empty()) {
              json::object limits;
              for (const auto& [name, spec] : job->limits) limits[name] = model::format_limit(spec);
              shown["limits"] = std::move(limits);
            }
            shown["stages"] = stages_of(*job);
            shown["text"] = job->text;
            call.reply.result(shown);
          }};
}

Command job_validate(Services& services) {
  return {"job.validate", Role::viewer,
          "Checks a job file against the language and against what is installed; gives all problems.", kJobOrText,
          [&services](Call call) {
            json::object verdict{{"valid", false}};
            std::vector<base::Error::Problem> problems;
            try {
              const auto job = job_of(services, call.arguments);
              verdict["job"] = job->name;
              verdict["version"] = job->version;
              problems = services.engine.check(*job);
            } catch (const base::Error& error) {
              if (error.kind() != base::ErrorKind::refused || !call.arguments.has("text")) throw;
              problems = error.problems();
            }
            verdict["valid"] = problems.empty();
            verdict["problems"] = wire::problems_to_json(problems);
            call.reply.result(verdict);
          }};
}

Command job_graph(Services& services) {
  return {"job.graph", Role::viewer, "Draws a job's stages and what they need.",
          job_or_text_and({"format", ParameterType::text, false, "text (the default), dot for Graphviz, or svg"}),
          [&services](Call call) {
            const std::string format = call.arguments.text("format", "text");
            const auto job = job_of(services, call.arguments);
            call.reply.result(
                json::object{{"job", job->name}, {"format", format}, {"text", jobfile::draw_graph(*job, format)}});
          }};
}

}  // namespace godwit::control::commands
