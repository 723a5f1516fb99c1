#include "jobfile/stage_reader.hpp"

#include "base/json_text.hpp"
#include "base/suggest.hpp"

namespace godwit::jobfile {
namespace {

constexpr std::size_t kStagesMax = 1000;

// A stage that is being read, and what its expressions see.
struct Draft {
  model::Stage stage;
  const StageDefaults* defaults = nullptr;
  Sight sight;       // of what is decided once for the stage
  Sight item_sight;  // of what is decided for each item
  Sight output_sight;
};

using Node = const YamlNode&;
using Path = const std::string&;

void read_needs(Reader& r, Node node, Path path, Draft& draft) {
  if (node.kind == YamlNode::Kind::scalar) {
    draft.stage.needs.push_back(r.text(node, path));
  } else if (node.kind == YamlNode::Kind::list) {
    for (std::size_t i = 0; i < node.items.size(); ++i)
      draft.stage.needs.push_back(r.text(node.items[i], base::below(path, i)));
  } else {
    r.problem(node, path, "a list of stages is needed here, not a map");
  }
}

bool is_word(std::string_view text, std::string_view more) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           more.find(c) != std::string_view::npos;
  });
}

void read_uses(Reader& r, Node node, Path path, Draft& draft) {
  draft.stage.uses = r.text(node, path);
  if (draft.stage.uses == "sql.exec") draft.stage.kind = model::StageKind::statement;
  draft.stage.uses_place = r.place(node, path);
  const std::string& uses = draft.stage.uses;
  if (!is_word(uses, ".-/") && !uses.empty())
    r.problem(node, path, "'" + uses + "' cannot be the name of a method",
              "write unit.method, contract/version.method such as flight-search/1.search, or the name of a stage "
              "plugin's unit");
}

void read_with(Reader& r, Node node, Path path, Draft& draft) {
  if (node.kind == YamlNode::Kind::scalar) {
    const auto whole = r.expression(node, path, draft.item_sight);
    if (whole) draft.stage.with = {json::string(node.text), r.place(node, path), {{"", {whole->place}}}};
  } else if (r.is_map(node, path, "a map of the method's arguments")) {
    draft.stage.with = r.value(node, path, draft.item_sight);
  }
}

void read_on_item_error(Reader& r, Node node, Path path, Draft& draft) {
  constexpr std::string_view kValues[] = {"fail", "skip", "record"};
  draft.stage.on_item_error = static_cast<model::OnItemError>(r.choice(node, path, kValues));
}

void read_otherwise(Reader& r, Node node, Path path, Draft& draft) {
  constexpr std::string_view kValues[] = {"fail", "go_on"};
  draft.stage.wait.goes_on = r.choice(node, path, kValues) == 1;
}

void read_what(Reader& r, Node node, Path path, Draft& draft) {
  r.text(node, path);
  draft.stage.wait.what = r.value(node, path, draft.item_sight);
}

void read_timeout(Reader& r, Node node, Path path, Draft& draft) {
  draft.stage.timeout = r.duration(node, path);
}

void read_sleep(Reader& r, Node node, Path path, Draft& draft) {
  draft.stage.kind = model::StageKind::sleep;
  read_what(r, node, path, draft);
  if (node.text.find("${") == std::string::npos && !base::parse_duration(node.text) && !base::parse_instant(node.text))
    r.problem(node, path, "'" + node.text.substr(0, 40) + "' is neither a duration nor an instant",
              "write 90s, 48h, 2026-05-01T08:00:00Z, or an expression that gives one");
}

constexpr std::array<Key<Draft>, 3> kSignalKeys{{
    {"name", read_what},
    {"timeout", read_timeout},
    {"otherwise", read_otherwise},
}};

void read_signal(Reader& r, Node node, Path path, Draft& draft) {
  draft.stage.kind = model::StageKind::signal;
  if (node.kind == YamlNode::Kind::scalar) return read_what(r, node, path, draft);
  if (!r.is_map(node, path, "the signal's name, or a map with `name`")) return;
  if (!node.find("name")) r.problem(node, path, "name is missing: which signal is waited for");
  read_keys(r, node, path, kSignalKeys, draft);
}

void read_who(Reader& r, Node node, Path path, Draft& draft) {
  draft.stage.wait.who = r.texts(node, path);
  constexpr std::string_view kRole = "role:";
  const std::vector<std::string> roles{"viewer", "operator", "admin"};
  for (const auto& who : draft.stage.wait.who) {
    const std::string role = who.starts_with(kRole) ? who.substr(kRole.size()) : "admin";
    if (std::find(roles.begin(), roles.end(), role) == roles.end())
      r.problem(node, path, "there is no role '" + role + "'", base::suggest(role, roles));
  }
}

constexpr std::array<Key<Draft>, 5> kApproveKeys{{
    {"text", read_what},
    {"who", read_who},
    {"within", read_timeout},
    {"remind", [](Reader& r, Node n, Path p, Draft& d) { d.stage.wait.reminder = r.duration(n, p); }},
    {"otherwise", read_otherwise},
}};

void read_approve(Reader& r, Node node, Path path, Draft& draft) {
  draft.stage.kind = model::StageKind::approval;
  if (node.kind == YamlNode::Kind::scalar) return read_what(r, node, path, draft);
  if (r.is_map(node, path, "what is to be approved, or a map with `text`, `who` and `within`"))
    read_keys(r, node, path, kApproveKeys, draft);
}

constexpr std::array<Key<Draft>, 3> kLockKeys{{
    {"name", read_what},
    {"permits", [](Reader& r, Node n, Path p, Draft& d) { d.stage.wait.permits = r.count(n, p, 1, 10'000); }},
    {"timeout", read_timeout},
}};

void read_lock(Reader& r, Node node, Path path, Draft& draft) {
  draft.stage.kind = model::StageKind::lock;
  if (node.kind == YamlNode::Kind::scalar) return read_what(r, node, path, draft);
  if (!r.is_map(node, path, "the lock's name, or a map with `name`")) return;
  if (!node.find("name")) r.problem(node, path, "name is missing: which lock is wanted");
  read_keys(r, node, path, kLockKeys, draft);
}

void read_run(Reader& r, Node node, Path path, Draft& draft) {
  draft.stage.kind = model::StageKind::child;
  draft.stage.uses = r.text(node, path);
  draft.stage.uses_place = r.place(node, path);
}

constexpr std::array<Key<model::Retry>, 5> kRetryKeys{{
    {"attempts", [](Reader& r, Node n, Path p, model::Retry& t) { t.attempts = r.count(n, p, 1, 1'000'000); }},
    {"backoff", [](Reader& r, Node n, Path p, model::Retry& t) { t.backoff = r.duration(n, p).value_or(t.backoff); }},
    {"max", [](Reader& r, Node n, Path p, model::Retry& t) { t.max = r.duration(n, p).value_or(t.max); }},
    {"factor", [](Reader& r, Node n, Path p, model::Retry& t) { t.factor = r.number(n, p, 1, 100); }},
    {"jitter", [](Reader& r, Node n, Path p, model::Retry& t) { t.jitter = r.number(n, p, 0, 1); }},
}};

void read_retry_into(Reader& r, Node node, Path path, model::Retry& retry) {
  if (!r.is_map(node, path, "a map such as {attempts: 5, backoff: 2s}")) return;
  // Who writes a retry wants one.
  if (!node.find("attempts")) r.problem(node, path, "attempts is missing");
  read_keys(r, node, path, kRetryKeys, retry);
}

void read_retry(Reader& r, Node node, Path path, Draft& draft) {
  draft.stage.retry = {};
  read_retry_into(r, node, path, draft.stage.retry);
}

struct UseDraft {
  model::LimitUse use;
  Sight sight;
};
constexpr std::array<Key<UseDraft>, 1> kUseKeys{{
    {"estimate",
     [](Reader& r, Node n, Path p, UseDraft& d) {
       d.use.estimate = true;
       d.use.amount = r.amount(n, p, d.sight, d.use.count);
     }},
}};

void read_use(Reader& r, Node node, Path path, UseDraft& draft) {
  if (node.kind != YamlNode::Kind::map) {
    draft.use.amount = r.amount(node, path, draft.sight, draft.use.count);
    return;
  }
  if (!node.find("estimate") && !r.describes_keys())
    r.problem(node, path, "estimate is missing: how much is taken until the provider says what it was");
  read_keys(r, node, path, kUseKeys, draft);
}

// `{api: 1, "tenant:${ params.tenant }": 1, tokens: {estimate: 2000}}`
std::map<std::string, model::LimitUse> read_uses(Reader& r, Node node, Path path, const Sight& sight) {
  std::map<std::string, model::LimitUse> uses;
  if (!r.is_map(node, path, "a map of limits and how much is taken of them")) return uses;
  for (const auto& member : node.members) {
    const std::string here = base::below(path, member.key);
    UseDraft draft{{}, sight};
    draft.use.key = r.key(member, path, sight);
    read_use(r, member.value, here, draft);
    uses[member.key] = std::move(draft.use);
  }
  return uses;
}

constexpr std::array<Key<StageDefaults>, 3> kDefaultsKeys{{
    {"retry", [](Reader& r, Node n, Path p, StageDefaults& d) { read_retry_into(r, n, p, d.retry); }},
    {"timeout", [](Reader& r, Node n, Path p, StageDefaults& d) { d.timeout = r.duration(n, p); }},
    {"limits", [](Reader& r, Node n, Path p, StageDefaults& d) { d.limits = read_uses(r, n, p, {.run = true}); }},
}};

struct GrowDraft {
  Draft& stage;
  model::Grow grow;
};
void read_items(Reader& r, Node n, Path p, GrowDraft& d) {
  d.stage.stage.foreach = r.expression(n, p, d.stage.sight);
}
void read_grow_key(Reader& r, Node n, Path p, GrowDraft& d) {
  Sight sight = d.stage.item_sight;
  d.grow.key = r.expression(n, p, sight);
}
constexpr std::array<Key<GrowDraft>, 5> kForeachKeys{{
    {"items", read_items},
    {"grow",
     [](Reader& r, Node n, Path p, GrowDraft& d) {
       Sight sight = d.stage.item_sight;
       sight.output = true;
       d.grow.items = r.expression(n, p, sight).value_or(model::Expression{});
     }},
    {"key", read_grow_key},
    {"depth", [](Reader& r, Node n, Path p, GrowDraft& d) { d.grow.depth = r.count(n, p, 0, 1'000'000); }},
    {"max", [](Reader& r, Node n, Path p, GrowDraft& d) { d.grow.max = r.count(n, p, 1, 10'000'000); }},
}};

// A list, or how a list begins and grows.
void read_foreach(Reader& r, Node node, Path path, Draft& draft) {
  if (node.kind != YamlNode::Kind::map) {
    draft.stage.foreach = r.expression(node, path, draft.sight);
    return;
  }
  if (!node.find("items")) r.problem(node, path, "items is missing: the list to begin with");
  GrowDraft grow{draft, {}};
  read_keys(r, node, path, kForeachKeys, grow);
  if (node.find("grow")) draft.stage.grow = std::move(grow.grow);
  for (const char* key : {"key", "depth", "max"})
    if (const YamlNode* found = node.find(key); found && !node.find("grow"))
      r.problem(*found, base::below(path, key), std::string(key) + " needs a `grow`");
}

void read_body(Reader& r, Node node, Path path, Draft& draft) {
  draft.stage.stages = read_stages(r, node, path, *draft.defaults, draft.item_sight);
}

struct EmitDraft {
  model::Emit emit;
  Sight sight;
};
constexpr std::array<Key<EmitDraft>, 2> kEmitKeys{{
    {"to", [](Reader& r, Node n, Path p, EmitDraft& t) { t.emit.to = r.text(n, p); }},
    {"rows", [](Reader& r, Node n, Path p, EmitDraft& t) { t.emit.rows = r.value(n, p, t.sight); }},
}};

void read_emit(Reader& r, Node node, Path path, Draft& draft) {
  if (!r.is_map(node, path, "a map with `to` and `rows`")) return;
  EmitDraft emit;
  emit.sight = draft.output_sight;
  for (const char* key : {"to", "rows"})
    if (!node.find(key)) r.problem(node, path, std::string(key) + " is missing");
  read_keys(r, node, path, kEmitKeys, emit);
  draft.stage.emit = std::move(emit.emit);
}

void read_provider_down(Reader& r, Node node, Path path, Draft& draft) {
  constexpr std::string_view kValues[] = {"wait", "fail"};
  draft.stage.waits_for_provider = r.choice(node, path, kValues) == 0;
}

constexpr std::array<Key<Draft>, 21> kStageKeys{{
    {"needs", read_needs},
    {"when", [](Reader& r, Node n, Path p, Draft& d) { d.stage.when = r.expression(n, p, d.sight); }},
    {"foreach", read_foreach},
    {"stages", read_body},
    {"env", [](Reader& r, Node n, Path p, Draft& d) { d.stage.env = read_env(r, n, p, d.item_sight); }},
    {"parallel", [](Reader& r, Node n, Path p, Draft& d) { d.stage.parallel = r.count(n, p, 1, 100'000); }},
    {"uses", read_uses},
    {"with", read_with},
    {"sleep", read_sleep},
    {"wait_signal", read_signal},
    {"approve", read_approve},
    {"run", read_run},
    {"lock", read_lock},
    {"output", [](Reader& r, Node n, Path p, Draft& d) { d.stage.output = r.value(n, p, d.output_sight); }},
    {"limits", [](Reader& r, Node n, Path p, Draft& d) { d.stage.limits = read_uses(r, n, p, d.item_sight); }},
    {"retry", read_retry},
    {"timeout", read_timeout},
    {"on_item_error", read_on_item_error},
    {"retry_safe", [](Reader& r, Node n, Path p, Draft& d) { d.stage.retry_safe = r.flag(n, p); }},
    {"emit", read_emit},
    {"provider_down", read_provider_down},
}};

// What a stage does is said by one of these keys, and by some keys it cannot have then.
const Reader::WorkKey kWorkKeys[] = {
    {"uses", {}},
    {"sleep", {"with", "limits", "retry", "timeout", "retry_safe", "provider_down"}},
    {"wait_signal", {"with", "limits", "retry", "timeout", "retry_safe", "provider_down"}},
    {"approve", {"with", "limits", "retry", "timeout", "retry_safe", "provider_down"}},
    {"run", {"limits", "retry", "retry_safe", "provider_down"}},
    {"lock", {"with", "limits", "retry", "timeout", "retry_safe", "foreach", "provider_down"}},
    {"stages", {"with", "limits", "retry", "timeout", "retry_safe", "emit", "env", "provider_down"}},
};

void check_work(Reader& reader, Node node, Path path, const model::Stage& stage) {
  if (reader.describes_keys()) return reader.describe_work(node, kWorkKeys);
  const Reader::WorkKey* work = nullptr;
  for (const auto& candidate : kWorkKeys) {
    const YamlNode* found = node.find(candidate.key);
    if (found && work)
      reader.problem(*found, base::below(path, candidate.key),
                     "a stage does one thing, and `" + std::string(work->key) + "` says already what");
    if (found && !work) work = &candidate;
  }
  if (!work)
    return reader.problem(
        stage.place, "the stage has no `uses`: nothing says what it does",
        "uses calls a plugin, run another job; sleep, wait_signal, approve and lock wait; stages are done for each item");
  const auto refuse = [&](std::string_view key, const std::string& why) {
    if (const YamlNode* found = node.find(key)) reader.problem(*found, base::below(path, key), why);
  };
  for (const auto key : work->excludes)
    refuse(key, std::string(key) + " does not go with `" + std::string(work->key) + "`");
  if (work->key == "stages" && !node.find("foreach"))
    reader.problem(stage.place, "the stage has `stages` and no foreach", "they are what is done for each item");
  if (stage.kind != model::StageKind::statement) return;
  for (const char* key : {"output", "emit", "retry_safe"})
    refuse(key, std::string(key) + " does not go with sql.exec: its transaction has ended when there is an output");
  const auto* arguments = stage.with.value.if_object();
  if (!arguments || arguments->contains("statement")) return;
  reader.problem(stage.uses_place, "sql.exec needs `with: {statement: ..., parameters: [...]}`");
}

// What the job says for all stages, for those that can have it.
void apply_defaults(const StageDefaults& defaults, model::Stage& stage) {
  const bool waits = stage.kind != model::StageKind::call && stage.kind != model::StageKind::statement;
  if (waits || !stage.stages.empty()) {
    stage.retry = {};
    stage.limits.clear();
    return;
  }
  if (!stage.timeout) stage.timeout = defaults.timeout;
  if (stage.env.value.is_null()) {
    stage.env = defaults.env;
  } else if (const auto* shared = defaults.env.value.if_object()) {
    for (const auto& [name, value] : *shared)
      if (stage.env.value.as_object().emplace(name, value).second)
        if (const auto places = defaults.env.expressions.find(std::string(name));
            places != defaults.env.expressions.end())
          stage.env.expressions.insert(*places);
  }
}

model::Stage read_stage(Reader& reader, const YamlNode::Member& member, const std::string& path, const Sight& sight,
                        const StageDefaults& defaults) {
  Draft draft;
  draft.defaults = &defaults;
  draft.stage.name = member.key;
  draft.stage.place = reader.place(member, path);
  draft.stage.retry = defaults.retry;
  draft.stage.limits = defaults.limits;
  // An empty `with` is an empty object: methods take objects.
  draft.stage.with = {json::object(), draft.stage.place, {}};
  if (!is_identifier(member.key))
    reader.problem(draft.stage.place, "'" + member.key + "' cannot be a stage's name",
                   "use letters, digits and _, and no digit first");
  if (!reader.is_map(member.value, path, "a map of the stage's keys")) return draft.stage;
  const bool foreach = member.value.find("foreach") != nullptr;
  const bool body = member.value.find("stages") != nullptr;
  draft.sight = sight;
  draft.item_sight = draft.sight;
  draft.item_sight.item = draft.item_sight.item || foreach;
  draft.output_sight = draft.item_sight;
  draft.output_sight.output = !body;
  draft.output_sight.body = body;
  read_keys(reader, member.value, path, kStageKeys, draft);
  check_work(reader, member.value, path, draft.stage);
  apply_defaults(defaults, draft.stage);
  for (const char* key : {"parallel", "on_item_error"})
    if (const YamlNode* node = member.value.find(key); node && !foreach)
      reader.problem(*node, base::below(path, key), std::string(key) + " needs a foreach");
  return std::move(draft.stage);
}

}  // namespace

void check_retry(Reader& reader, const YamlNode& node, const std::string& path) {
  Draft draft;
  read_retry(reader, node, path, draft);
}

bool is_identifier(std::string_view name) {
  return name.size() <= 100 && is_word(name, "") && !(name[0] >= '0' && name[0] <= '9');
}

StageDefaults read_defaults(Reader& reader, const YamlNode& node, const std::string& path) {
  StageDefaults defaults;
  if (reader.is_map(node, path, "a map with `retry`, `timeout` or `limits`"))
    read_keys(reader, node, path, kDefaultsKeys, defaults);
  return defaults;
}

model::Template read_env(Reader& reader, const YamlNode& node, const std::string& path, const Sight& sight) {
  if (!reader.is_map(node, path, "a map of variables and their values")) return {};
  for (const auto& member : node.members)
    if (!is_identifier(member.key))
      reader.problem(reader.place(member, base::below(path, member.key)),
                     "'" + member.key + "' cannot be the name of a variable",
                     "use letters, digits and _, and no digit first");
  model::Template env = reader.value(node, path, sight);
  // Variables are texts; a number is written without quotes by many.
  if (auto* values = env.value.if_object())
    for (auto& member : *values)
      if (!member.value().is_string()) member.value() = base::serialize(member.value());
  return env;
}

std::vector<model::Stage> read_stages(Reader& reader, const YamlNode& node, const std::string& path,
                                      const StageDefaults& defaults, const Sight& sight) {
  std::vector<model::Stage> stages;
  if (!reader.is_map(node, path, "a map of stages")) return stages;
  if (node.members.empty()) reader.problem(node, path, path == "stages" ? "a job needs at least one stage" : "at least one stage is needed here");
  if (node.members.size() > kStagesMax) {
    reader.problem(node, path, "a job has at most " + std::to_string(kStagesMax) + " stages",
                   "a foreach does the same for many items");
    return stages;
  }
  Sight own = sight;
  own.stage.push_back(0);
  for (const auto& member : node.members) {
    own.stage.back() = stages.size();
    stages.push_back(read_stage(reader, member, base::below(path, member.key), own, defaults));
  }
  return stages;
}

}  // namespace godwit::jobfile
