#include "jobfile/job_parser.hpp"

#include "base/digest.hpp"
#include "jobfile/dependencies.hpp"
#include "jobfile/format_reader.hpp"
#include "jobfile/params_reader.hpp"
#include "jobfile/schedule_reader.hpp"
#include "jobfile/stage_reader.hpp"

namespace godwit::jobfile {
namespace {

using Node = const YamlNode&;
using Path = const std::string&;

void read_name(Reader& reader, Node node, Path path, model::Job& job) {
  job.name = reader.text(node, path);
  const bool good = job.name.size() <= 100 && std::all_of(job.name.begin(), job.name.end(), [](char c) {
                      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
                             c == '-' || c == '.';
                    });
  if (!good || job.name.starts_with('.') || job.name.starts_with('-'))
    reader.problem(node, path, "'" + job.name.substr(0, 100) + "' cannot be a job's name",
                   "use letters, digits, _, - and .");
}

constexpr std::array<Key<model::Check>, 3> kCheckKeys{{
    {"that",
     [](Reader& r, Node n, Path p, model::Check& c) { c.that = r.expression(n, p, {}).value_or(model::Expression{}); }},
    {"message", [](Reader& r, Node n, Path p, model::Check& c) { c.message = r.value(n, p, {}); }},
    {"path", [](Reader& r, Node n, Path p, model::Check& c) { c.path = r.text(n, p); }},
}};

void read_check(Reader& reader, Node node, Path path, model::Job& job) {
  model::Check check;
  if (node.kind == YamlNode::Kind::scalar) {
    check.that = reader.expression(node, path, {}).value_or(model::Expression{});
  } else if (reader.is_map(node, path, "a map with `that` and `message`")) {
    if (!node.find("that")) reader.problem(node, path, "that is missing: the expression that must be true");
    read_keys(reader, node, path, kCheckKeys, check);
  }
  if (check.message.value.is_null())
    check.message.value = json::string("the check in line " + std::to_string(node.line) + " is not met");
  job.checks.push_back(std::move(check));
}

void read_checks(Reader& reader, Node node, Path path, model::Job& job) {
  if (node.kind != YamlNode::Kind::list)
    return reader.problem(node, path, "a list of checks is needed here, not " + config::kind_text(node));
  for (std::size_t i = 0; i < node.items.size(); ++i) read_check(reader, node.items[i], base::below(path, i), job);
}

// `types` and `params` are read together, before all others.
void read_before(Reader&, Node, Path, model::Job&) {}

constexpr std::array<Key<model::Job>, 10> kJobKeys{{
    {"job", read_name},
    {"description", [](Reader& r, Node n, Path p, model::Job& j) { j.description = r.text(n, p); }},
    {"types", read_before},
    {"params", read_before},
    {"checks", read_checks},
    {"timeout", [](Reader& r, Node n, Path p, model::Job& j) { j.timeout = r.duration(n, p); }},
    {"limits", [](Reader& r, Node n, Path p, model::Job& j) { j.limits = r.permits(n, p); }},
    {"schedule", [](Reader& r, Node n, Path p, model::Job& j) { j.schedules = read_schedules(r, n, p); }},
    {"stages", [](Reader& r, Node n, Path p, model::Job& j) { j.stages = read_stages(r, n, p); }},
    {"result",
     [](Reader& r, Node n, Path p, model::Job& j) { j.result = r.value(n, p, {.stages = true, .run = true}); }},
}};

constexpr std::array kNeeded{"job", "stages"};

}  // namespace

json::object job_format() {
  FormatReader reader;
  auto format = reader.schema([](Reader& trying, const YamlNode& root) {
    model::Job job;
    read_keys(trying, root, {}, kJobKeys, job);
  });
  json::object result{{"$schema", "http://json-schema.org/draft-07/schema#"}, {"title", "A job of godwit"}};
  for (auto& [key, value] : format) result[key] = std::move(value);
  result["required"] = json::value_from(kNeeded);
  return result;
}

model::Job parse(std::string_view text, const std::string& file) {
  const config::YamlDocument document(text, file);
  Reader reader(document, text);
  model::Job job;
  job.version = base::sha256_hex(text);
  job.file = file;
  job.text = text;
  const YamlNode& root = document.root();
  if (reader.is_map(root, {}, "a map with `job` and `stages`")) {
    for (const char* key : kNeeded)
      if (!root.find(key)) reader.problem(root, {}, std::string("the key '") + key + "' is missing");
    read_params(reader, root.find("types"), root.find("params"), job);
    read_keys(reader, root, {}, kJobKeys, job);
    name_schedules(job);
    check_dependencies(reader, job);
  }
  auto& problems = reader.problems();
  if (problems.empty()) return job;
  // In the order of the file, as a person goes through it.
  std::stable_sort(problems.begin(), problems.end(), [](const auto& a, const auto& b) {
    return std::pair(a.place.line, a.place.column) < std::pair(b.place.line, b.place.column);
  });
  throw base::Error(base::ErrorKind::refused, std::move(problems));
}

}  // namespace godwit::jobfile
