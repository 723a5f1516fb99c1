#include "jobfile/schedule_reader.hpp"

#include <set>

#include "cron/fire_times.hpp"

namespace godwit::jobfile {
namespace {

using Node = const YamlNode&;

// The node an error's path leads to, or the whole.
Node node_of(Node node, const std::string& key) {
  const auto* found = node.find(key);
  return found ? *found : node;
}

void read_one(Reader& reader, Node node, const std::string& path, std::vector<model::Schedule>& schedules) {
  if (!reader.is_map(node, path, "a map with `cron`, `calendar`, `every` or `at`")) return;
  const auto value = reader.any(node, path);
  if (!value.is_object()) return;
  if (const auto* job = node.find("job"))
    return reader.problem(*job, base::below(path, "job"), "a schedule in a job file is for this job",
                          "leave `job` away");
  try {
    auto schedule = model::schedule_from_json(value.get_object());
    const std::string key(model::name_in(model::kTimingKinds, schedule.timing.kind));
    try {
      cron::FireTimes times(schedule.timing);
    } catch (const base::Error& error) {
      for (const auto& problem : error.problems()) {
        const bool of_zone = problem.what.starts_with("there is no time zone");
        const std::string at = of_zone && node.find("zone") ? "zone" : key;
        const std::string column =
            problem.place.column > 0 ? "column " + std::to_string(problem.place.column) + " of the expression: " : "";
        reader.problem(node_of(node, at), base::below(path, at), column + problem.what, problem.hint);
      }
      return;
    }
    schedules.push_back(std::move(schedule));
  } catch (const base::Error& error) {
    for (const auto& problem : error.problems()) {
      const auto& at = problem.place.path;
      reader.problem(node_of(node, at), at.empty() ? path : base::below(path, at), problem.what, problem.hint);
    }
  }
}

}  // namespace

std::vector<model::Schedule> read_schedules(Reader& reader, Node node, const std::string& path) {
  std::vector<model::Schedule> schedules;
  if (node.kind != YamlNode::Kind::list) {
    read_one(reader, node, path, schedules);
    return schedules;
  }
  std::set<std::string> names;
  for (std::size_t i = 0; i < node.items.size(); ++i) {
    const auto before = schedules.size();
    read_one(reader, node.items[i], base::below(path, i), schedules);
    if (schedules.size() == before) continue;
    if (schedules.back().name.empty())
      reader.problem(node.items[i], base::below(path, i), "a schedule in a list needs a name", "add `name:`");
    else if (!names.insert(schedules.back().name).second)
      reader.problem(node.items[i], base::below(path, i),
                     "there are two schedules with the name '" + schedules.back().name + "'");
  }
  return schedules;
}

void name_schedules(model::Job& job) {
  for (auto& schedule : job.schedules) {
    schedule.job = job.name;
    schedule.name = schedule.name.empty() ? job.name : job.name + "/" + schedule.name;
  }
}

}  // namespace godwit::jobfile
