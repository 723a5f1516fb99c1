#include "jobfile/job_parser.hpp"

#include "base/digest.hpp"
#include "base/utf8.hpp"
#include "jobfile/dependencies.hpp"
#include "jobfile/format_reader.hpp"
#include "jobfile/params_reader.hpp"
#include "jobfile/schedule_reader.hpp"
#include "jobfile/script_header.hpp"
#include "jobfile/stage_reader.hpp"

namespace godwit::jobfile {
namespace {

using Node = const YamlNode&;
using Path = const std::string&;

constexpr std::size_t kNameMax = 100;

void read_name(Reader& reader, Node node, Path path, model::Job& job) {
  job.name = reader.text(node, path);
  if (job.name.size() > kNameMax)
    return reader.problem(node, path,
                          "'" + base::repaired_utf8(job.name.substr(0, 40)) +
                              "...' is too long for a job's name: it has " + std::to_string(job.name.size()) + " bytes",
                          "use at most " + std::to_string(kNameMax));
  const bool good = std::all_of(job.name.begin(), job.name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
           c == '.';
  });
  if (!good || job.name.starts_with('.') || job.name.starts_with('-'))
    reader.problem(node, path, "'" + job.name + "' cannot be a job's name", "use letters, digits, _, - and .");
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
struct JobDraft;
void read_before(Reader&, Node, Path, JobDraft&) {}

void read_labels(Reader& r, Node node, Path path, model::Job& job) {
  if (!r.is_map(node, path, "a map of labels and their values")) return;
  for (const auto& member : node.members) {
    const std::string here = base::below(path, member.key);
    r.text(member.value, here);
    job.labels[member.key] = r.value(member.value, here, {});
  }
}

void read_queue(Reader& r, Node node, Path path, model::Job& job) {
  job.queue = r.text(node, path);
  if (!job.queue.empty() && !is_identifier(job.queue))
    r.problem(node, path, "'" + job.queue + "' cannot be the name of a queue",
              "use letters, digits and _, and no digit first");
}

constexpr std::array<Key<model::Unique>, 2> kUniqueKeys{{
    {"key",
     [](Reader& r, Node n, Path p, model::Unique& u) { u.key = r.expression(n, p, {}).value_or(model::Expression{}); }},
    {"otherwise",
     [](Reader& r, Node n, Path p, model::Unique& u) {
       constexpr std::string_view kValues[] = {"refuse", "existing"};
       u.refuses = r.choice(n, p, kValues) == 0;
     }},
}};

// `${ key }`, or a map with `key` and `otherwise`.
void read_unique(Reader& r, Node node, Path path, model::Job& job) {
  model::Unique unique;
  if (node.kind == YamlNode::Kind::scalar) {
    unique.key = r.expression(node, path, {}).value_or(model::Expression{});
  } else if (r.is_map(node, path, "an expression, or a map with `key`")) {
    if (!node.find("key")) r.problem(node, path, "key is missing: an expression over the parameters");
    read_keys(r, node, path, kUniqueKeys, unique);
  }
  job.unique = std::move(unique);
}

constexpr std::array<Key<model::Concurrency>, 3> kConcurrencyKeys{{
    {"key", [](Reader& r, Node n, Path p, model::Concurrency& c) { c.key = r.expression(n, p, {}); }},
    {"limit", [](Reader& r, Node n, Path p, model::Concurrency& c) { c.limit = r.count(n, p, 1, 10'000); }},
    {"then",
     [](Reader& r, Node n, Path p, model::Concurrency& c) {
       c.then = static_cast<model::Concurrency::Then>(r.choice(n, p, model::kConcurrencyThen));
     }},
}};

// `${ key }`, or a map with `key`, `limit` and `then`.
void read_concurrency(Reader& r, Node node, Path path, model::Job& job) {
  model::Concurrency concurrency;
  if (node.kind == YamlNode::Kind::scalar)
    concurrency.key = r.expression(node, path, {});
  else if (r.is_map(node, path, "an expression, or a map such as {key: \"${ params.tenant }\", limit: 1, then: queue}"))
    read_keys(r, node, path, kConcurrencyKeys, concurrency);
  job.concurrency = std::move(concurrency);
}

constexpr Sight kAtEnd{.stages = true, .run = true};
constexpr std::array<Key<model::ContinueAs>, 2> kContinueKeys{{
    {"when", [](Reader& r, Node n, Path p, model::ContinueAs& c) { c.when = r.expression(n, p, kAtEnd); }},
    {"with", [](Reader& r, Node n, Path p, model::ContinueAs& c) { c.with = r.value(n, p, kAtEnd); }},
}};

void read_continue_as(Reader& r, Node node, Path path, model::Job& job) {
  if (!r.is_map(node, path, "a map with `with`, the next run's parameters, and perhaps `when`")) return;
  if (!node.find("with")) r.problem(node, path, "with is missing: the parameters of the next run");
  job.continue_as.emplace();
  read_keys(r, node, path, kContinueKeys, *job.continue_as);
}

// A job that is being read, and what it says for all its stages: that stands before them in `ordered`.
struct JobDraft {
  model::Job job;
  StageDefaults defaults;
};

template <auto read>
void of_job(Reader& r, Node n, Path p, JobDraft& d) {
  read(r, n, p, d.job);
}

void read_default_keys(Reader& r, Node node, Path path, JobDraft& draft) {
  auto env = std::move(draft.defaults.env);
  draft.defaults = read_defaults(r, node, path);
  draft.defaults.env = std::move(env);
}

void read_job_env(Reader& r, Node node, Path path, JobDraft& draft) {
  draft.defaults.env = read_env(r, node, path, {.run = true});
}

void read_job_stages(Reader& r, Node node, Path path, JobDraft& draft) {
  draft.job.stages = read_stages(r, node, path, draft.defaults, {.stages = true, .run = true});
}

template <model::Ending ending>
void read_ending(Reader& r, Node node, Path path, JobDraft& draft) {
  const Sight sight{.stages = true, .run = true, .outcome = true, .ending = ending};
  draft.job.endings[static_cast<std::size_t>(ending)] = read_stages(r, node, path, draft.defaults, sight);
}

// The keys in the order in which they are to be read.
YamlNode ordered(const YamlNode& root) {
  YamlNode node = root;
  std::stable_partition(node.members.begin(), node.members.end(),
                        [](const auto& member) { return member.key == "defaults" || member.key == "env"; });
  return node;
}

constexpr std::array<Key<JobDraft>, 22> kJobKeys{{
    {"job", of_job<read_name>},
    {"description", [](Reader& r, Node n, Path p, JobDraft& d) { d.job.description = r.text(n, p); }},
    {"types", read_before},
    {"params", read_before},
    {"checks", of_job<read_checks>},
    {"timeout", [](Reader& r, Node n, Path p, JobDraft& d) { d.job.timeout = r.duration(n, p); }},
    {"limits", [](Reader& r, Node n, Path p, JobDraft& d) { d.job.limits = r.limits(n, p); }},
    {"schedule", [](Reader& r, Node n, Path p, JobDraft& d) { d.job.schedules = read_schedules(r, n, p); }},
    {"defaults", read_default_keys},
    {"env", read_job_env},
    {"stages", read_job_stages},
    {"on_failure", read_ending<model::Ending::failure>},
    {"on_success", read_ending<model::Ending::success>},
    {"on_cancel", read_ending<model::Ending::cancel>},
    {"priority", [](Reader& r, Node n, Path p, JobDraft& d) { d.job.priority = r.count(n, p, -100, 100); }},
    {"queue", of_job<read_queue>},
    {"labels", of_job<read_labels>},
    {"retain", [](Reader& r, Node n, Path p, JobDraft& d) { d.job.retain = r.duration(n, p); }},
    {"unique", of_job<read_unique>},
    {"concurrency", of_job<read_concurrency>},
    {"continue_as", of_job<read_continue_as>},
    {"result",
     [](Reader& r, Node n, Path p, JobDraft& d) { d.job.result = r.value(n, p, {.stages = true, .run = true}); }},
}};

constexpr std::array kNeeded{"job", "stages"};

}  // namespace

json::object job_format() {
  FormatReader reader;
  auto format = reader.schema([](Reader& trying, const YamlNode& root) {
    JobDraft draft;
    read_keys(trying, root, {}, kJobKeys, draft);
  });
  json::object result{{"$schema", "http://json-schema.org/draft-07/schema#"}, {"title", "A job of godwit"}};
  for (auto& [key, value] : format) result[key] = std::move(value);
  result["required"] = json::value_from(kNeeded);
  return result;
}

namespace {

// "64MiB" and the like.
std::uint64_t read_size(Reader& r, Node node, Path path) {
  static const std::map<std::string, std::uint64_t> kUnits{{"KiB", 1u << 10}, {"MiB", 1u << 20}, {"GiB", 1u << 30}};
  const std::string text = r.text(node, path);
  const std::size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
  const auto unit = kUnits.find(text.substr(digits));
  if (digits == 0 || digits > 6 || unit == kUnits.end()) {
    r.problem(node, path, "a size such as 64MiB is needed here, not '" + text + "'");
    return 0;
  }
  return std::stoull(text.substr(0, digits)) * unit->second;
}

// What a script may ask for. More memory than this, or a longer stretch, is work for a plugin.
constexpr std::uint64_t kMemoryMin = 1u << 20, kMemoryMax = 2ull << 30;
constexpr base::Duration kCpuMax = std::chrono::seconds(60);

constexpr std::array<Key<model::script::Budget>, 3> kBudgetKeys{{
    {"memory",
     [](Reader& r, Node n, Path p, model::script::Budget& b) {
       b.memory = read_size(r, n, p);
       if (b.memory != 0 && (b.memory < kMemoryMin || b.memory > kMemoryMax))
         r.problem(n, p, "1MiB to 2GiB can be given to a script");
     }},
    {"cpu",
     [](Reader& r, Node n, Path p, model::script::Budget& b) {
       b.cpu = r.duration(n, p).value_or(b.cpu);
       if (b.cpu <= base::Duration(0) || b.cpu > kCpuMax) r.problem(n, p, "more than 0 and at most 1m can be given");
     }},
    {"steps",
     [](Reader& r, Node n, Path p, model::script::Budget& b) {
       b.steps = static_cast<std::uint64_t>(r.count(n, p, 1, 1'000'000));
     }},
}};

void read_budget(Reader& reader, Node node, Path path, model::Job& job) {
  if (reader.is_map(node, path, "a map such as {memory = \"64MiB\", cpu = \"2s\"}"))
    read_keys(reader, node, path, kBudgetKeys, job.script->budget);
}

void read_step_retry(Reader& reader, Node node, Path path, model::Job& job) {
  job.script->step_defaults["retry"] = reader.any(node, path);
  check_retry(reader, node, path);
}

// What holds for all calls is kept as it stands: each becomes a stage of its own.
void read_script_defaults(Reader& reader, Node node, Path path, JobDraft& draft) {
  read_default_keys(reader, node, path, draft);
  auto given = reader.any(node, path);
  if (auto* defaults = given.if_object())
    for (auto& [key, value] : *defaults) draft.job.script->step_defaults[key] = std::move(value);
}

void read_script_env(Reader& reader, Node node, Path path, JobDraft& draft) {
  const model::Template env = read_env(reader, node, path, {});
  if (env.value.is_object()) draft.job.script->step_defaults["env"] = env.value;
}

// A script says only that it has a function for it.
template <model::Ending ending>
void read_script_ending(Reader& reader, Node node, Path path, model::Job& job) {
  job.script->endings[static_cast<std::size_t>(ending)] = reader.flag(node, path);
}

constexpr std::array<Key<JobDraft>, 7> kScriptKeys{{{"budget", of_job<read_budget>},
                                                    {"retry", of_job<read_step_retry>},
                                                    {"defaults", read_script_defaults},
                                                    {"env", read_script_env},
                                                    {"on_failure", of_job<read_script_ending<model::Ending::failure>>},
                                                    {"on_success", of_job<read_script_ending<model::Ending::success>>},
                                                    {"on_cancel", of_job<read_script_ending<model::Ending::cancel>>}}};
// What a script says by what it does.
constexpr std::array<std::string_view, 8> kOfStages{"stages",     "result",     "defaults",  "env",
                                                    "on_failure", "on_success", "on_cancel", "continue_as"};

// The keys that both kinds of jobs have, and those of scripts.
std::array<Key<JobDraft>, kJobKeys.size() - kOfStages.size() + kScriptKeys.size()> script_keys() {
  std::array<Key<JobDraft>, kJobKeys.size() - kOfStages.size() + kScriptKeys.size()> keys{};
  auto end = std::copy_if(kJobKeys.begin(), kJobKeys.end(), keys.begin(), [](const auto& key) {
    return std::find(kOfStages.begin(), kOfStages.end(), key.name) == kOfStages.end();
  });
  std::copy(kScriptKeys.begin(), kScriptKeys.end(), end);
  return keys;
}

// In the order of the file, as a person goes through it.
void throw_problems(Reader& reader) {
  auto& problems = reader.problems();
  if (problems.empty()) return;
  std::stable_sort(problems.begin(), problems.end(), [](const auto& a, const auto& b) {
    return std::pair(a.place.line, a.place.column) < std::pair(b.place.line, b.place.column);
  });
  throw base::Error(base::ErrorKind::refused, std::move(problems));
}

model::Job new_job(std::string_view text, const std::string& file) {
  model::Job job;
  job.version = base::sha256_hex(text);
  job.file = file;
  job.text = text;
  return job;
}

model::Job parse_script(const model::ScriptBundle& bundle, std::string_view text, const std::string& file) {
  const std::string header = header_as_yaml(bundle);
  const config::YamlDocument document(header, file);
  Reader reader(document, header);
  JobDraft draft{new_job(text, file), {}};
  model::Job& job = draft.job;
  job.script.emplace();
  const YamlNode& root = document.root();
  if (!root.find("job")) reader.problem(root, {}, "gw.job needs a `name`");
  read_params(reader, root.find("types"), root.find("params"), job);
  read_keys(reader, root, {}, script_keys(), draft);
  name_schedules(job);
  throw_problems(reader);
  return std::move(job);
}

}  // namespace

model::Job parse(std::string_view text, const std::string& file) {
  if (const auto bundle = model::ScriptBundle::parse(text)) {
    if (!bundle->header) throw base::refused("this script was not read yet", {file});
    return parse_script(*bundle, text, file);
  }
  const config::YamlDocument document(text, file);
  Reader reader(document, text);
  JobDraft draft{new_job(text, file), {}};
  model::Job& job = draft.job;
  const YamlNode& root = document.root();
  if (reader.is_map(root, {}, "a map with `job` and `stages`")) {
    for (const char* key : kNeeded)
      if (!root.find(key)) reader.problem(root, {}, std::string("the key '") + key + "' is missing");
    read_params(reader, root.find("types"), root.find("params"), job);
    read_keys(reader, ordered(root), {}, kJobKeys, draft);
    name_schedules(job);
    check_dependencies(reader, job);
  }
  throw_problems(reader);
  return std::move(job);
}

}  // namespace godwit::jobfile
