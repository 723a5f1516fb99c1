#include "lab/test_reader.hpp"

#include <algorithm>
#include <fstream>

#include "base/suggest.hpp"
#include "jobfile/reader.hpp"

namespace godwit::lab {
namespace {

namespace fs = std::filesystem;
using config::YamlNode;
using jobfile::Key;
using jobfile::read_keys;
using jobfile::Reader;
using jobfile::Sight;
using Node = const YamlNode&;
using Path = const std::string&;

// What is being read, with the folder that names of files start from.
template <typename Value>
struct Draft {
  Value& value;
  const fs::path& folder;
};

// Tells a problem of another file at the place that names the file.
template <typename Read>
auto read_other(Reader& reader, Node node, Path path, const fs::path& folder, Read read)
    -> decltype(read(std::string(), std::string())) {
  const std::string name = reader.text(node, path);
  if (name.empty()) return {};
  try {
    const fs::path file = folder / name;
    return read(read_file(file), file.string());
  } catch (const base::Error& error) {
    for (const auto& problem : error.problems()) reader.problem(node, path, problem.text());
  }
  return {};
}

std::shared_ptr<const Recording> read_recording(Reader& reader, Node node, Path path, const fs::path& folder) {
  return read_other(reader, node, path, folder, [](const std::string& text, const std::string& file) {
    return std::make_shared<const Recording>(text, file);
  });
}

json::object read_object(Reader& reader, Node node, Path path, std::string_view wanted) {
  if (!reader.is_map(node, path, wanted)) return {};
  auto value = reader.any(node, path);
  return value.is_object() ? std::move(value.get_object()) : json::object();
}

json::array read_array(Reader& reader, Node node, Path path) {
  auto value = reader.any(node, path);
  return value.is_array() ? std::move(value.get_array()) : json::array{std::move(value)};
}

constexpr int kMany = 1'000'000'000;

bool is_count(Node node) {
  return node.kind == YamlNode::Kind::scalar;
}

// --- mocks

constexpr std::array<Key<model::Failure>, 4> kErrorKeys{{
    {"code", [](Reader& r, Node n, Path p, model::Failure& t) { t.code = r.text(n, p); }},
    {"message", [](Reader& r, Node n, Path p, model::Failure& t) { t.message = r.text(n, p); }},
    {"retryable", [](Reader& r, Node n, Path p, model::Failure& t) { t.retryable = r.flag(n, p); }},
    {"retry_after", [](Reader& r, Node n, Path p, model::Failure& t) { t.retry_after = r.duration(n, p); }},
}};

model::Failure read_error(Reader& reader, Node node, Path path) {
  model::Failure failure{"failed", "the test wants it so", false, {}};
  if (node.kind == YamlNode::Kind::scalar) {
    failure.code = reader.text(node, path);
  } else if (reader.is_map(node, path, "a code, or a map such as {code: busy, retryable: true}")) {
    read_keys(reader, node, path, kErrorKeys, failure);
  }
  return failure;
}

struct MockDraft {
  Mock& mock;
  MockRule& rule;
  const fs::path& folder;
  int answers = 0;
};

template <typename Value>
void answer(MockDraft& draft, Value value) {
  draft.rule.answer = std::move(value);
  ++draft.answers;
}

constexpr std::array<Key<MockDraft>, 9> kRuleKeys{{
    {"when", [](Reader& r, Node n, Path p, MockDraft& t) { t.rule.when = r.expression(n, p, {}); }},
    {"attempt", [](Reader& r, Node n, Path p, MockDraft& t) { t.rule.attempt = r.count(n, p, 1, kMany); }},
    {"takes", [](Reader& r, Node n, Path p, MockDraft& t) { t.rule.takes = r.duration(n, p).value_or(t.rule.takes); }},
    {"retry_safe", [](Reader& r, Node n, Path p, MockDraft& t) { t.mock.retry_safe = r.flag(n, p); }},
    {"output", [](Reader& r, Node n, Path p, MockDraft& t) { answer(t, r.value(n, p, {})); }},
    {"error", [](Reader& r, Node n, Path p, MockDraft& t) { answer(t, read_error(r, n, p)); }},
    {"lost",
     [](Reader& r, Node n, Path p, MockDraft& t) {
       if (r.flag(n, p)) answer(t, MockRule::Lost{});
     }},
    {"fixture",
     [](Reader& r, Node n, Path p, MockDraft& t) {
       answer(t, read_other(r, n, p, t.folder, [&](const std::string& text, const std::string& file) {
                return model::Template{base::parse_json(text, file), r.place(n, p), {}};
              }));
     }},
    {"recorded", [](Reader& r, Node n, Path p, MockDraft& t) { answer(t, read_recording(r, n, p, t.folder)); }},
}};

void read_rule(Reader& reader, Node node, Path path, Mock& mock, const fs::path& folder) {
  MockRule rule;
  if (node.kind == YamlNode::Kind::scalar) {
    rule.answer = reader.value(node, path, {});
  } else if (reader.is_map(node, path, "how the method answers, such as {output: ...} or {error: ...},")) {
    MockDraft draft{mock, rule, folder};
    read_keys(reader, node, path, kRuleKeys, draft);
    if (draft.answers != 1)
      reader.problem(node, path, draft.answers == 0 ? "this says no answer" : "this says more than one answer",
                     "give one of output, error, fixture, recorded, lost");
  }
  mock.rules.push_back(std::move(rule));
}

void read_mocks(Reader& reader, Node node, Path path, Mocks& mocks, const fs::path& folder) {
  if (!reader.is_map(node, path, "a map from methods to how they answer")) return;
  for (const auto& member : node.members) {
    const std::string here = base::below(path, member.key);
    Mock& mock = mocks[member.key];
    if (member.value.kind != YamlNode::Kind::list) {
      read_rule(reader, member.value, here, mock, folder);
      continue;
    }
    for (std::size_t i = 0; i < member.value.items.size(); ++i)
      read_rule(reader, member.value.items[i], base::below(here, i), mock, folder);
  }
}

// --- events

template <Event::Kind kind>
void read_flag_event(Reader& reader, Node node, Path path, Event& event) {
  if (reader.flag(node, path)) event.kind = kind;
}
template <Event::Kind kind>
void read_named_event(Reader& reader, Node node, Path path, Event& event) {
  event.name = reader.text(node, path);
  event.kind = kind;
}

// One of these says what happens; the others go with it.
constexpr std::size_t kEventKinds = 6;
constexpr std::array<Key<Event>, 11> kEventKeys{{
    {"pause", read_flag_event<Event::Kind::pause>},
    {"resume", read_flag_event<Event::Kind::resume>},
    {"cancel", read_flag_event<Event::Kind::cancel>},
    {"signal", read_named_event<Event::Kind::signal>},
    {"approve", read_named_event<Event::Kind::approve>},
    {"reject", read_named_event<Event::Kind::reject>},
    {"payload", [](Reader& r, Node n, Path p, Event& t) { t.payload = r.any(n, p); }},
    {"comment", [](Reader& r, Node n, Path p, Event& t) { t.comment = r.text(n, p); }},
    {"by", [](Reader& r, Node n, Path p, Event& t) { t.by = r.text(n, p); }},
    {"role", [](Reader& r, Node n, Path p, Event& t) { t.roles.push_back(r.text(n, p)); }},
    {"at",
     [](Reader& r, Node n, Path p, Event& t) {
       if (n.text != "0") t.at = r.duration(n, p).value_or(t.at);
     }},
}};

void read_events(Reader& reader, Node node, Path path, std::vector<Event>& events) {
  if (node.kind != YamlNode::Kind::list)
    return reader.problem(node, path, "a list of events is needed here, not " + config::kind_text(node));
  for (std::size_t i = 0; i < node.items.size(); ++i) {
    const std::string here = base::below(path, i);
    const YamlNode& item = node.items[i];
    Event event{.place = reader.place(item, here)};
    if (!reader.is_map(item, here, "an event such as {at: 1h, cancel: true}")) continue;
    if (!item.find("at")) reader.problem(item, here, "`at` is missing: when it happens, counted from the submit");
    const auto what = std::count_if(kEventKeys.begin(), kEventKeys.begin() + kEventKinds,
                                    [&](const auto& key) { return item.find(key.name) != nullptr; });
    if (what != 1)
      reader.problem(item, here, "an event is `at` and one thing that happens",
                     "pause, resume, cancel, signal, approve or reject");
    read_keys(reader, item, here, kEventKeys, event);
    events.push_back(std::move(event));
  }
  std::stable_sort(events.begin(), events.end(), [](const Event& a, const Event& b) { return a.at < b.at; });
}

// --- expectations

void read_state(Reader& reader, Node node, Path path, std::string& state) {
  state = reader.text(node, path);
  std::vector<std::string> known;
  for (const auto& info : model::kRunStates) known.emplace_back(info.name);
  known.emplace_back(kRefused);
  if (!model::parse_run_state(state) && state != kRefused)
    reader.problem(node, path, "'" + state + "' is no state of a run", base::suggest(state, known));
}

void read_calls(Reader& reader, Node node, Path path, Expectation& expect) {
  if (!reader.is_map(node, path, "a map from methods to how often they are called, or with what,")) return;
  for (const auto& member : node.members) {
    const std::string here = base::below(path, member.key);
    ExpectedCalls& calls = expect.calls[member.key];
    if (is_count(member.value)) {
      calls.times = reader.count(member.value, here, 0, kMany);
    } else {
      calls.inputs = read_array(reader, member.value, here);
    }
  }
}

constexpr std::array<Key<ExpectedStep>, 4> kStepKeys{{
    {"state", [](Reader& r, Node n, Path p, ExpectedStep& t) { t.state = r.text(n, p); }},
    {"attempts", [](Reader& r, Node n, Path p, ExpectedStep& t) { t.attempts = r.count(n, p, 1, kMany); }},
    {"output", [](Reader& r, Node n, Path p, ExpectedStep& t) { t.output = r.any(n, p); }},
    {"error", [](Reader& r, Node n, Path p, ExpectedStep& t) { t.error = r.text(n, p); }},
}};

void read_steps(Reader& reader, Node node, Path path, Expectation& expect) {
  if (!reader.is_map(node, path, "a map from steps to what became of them")) return;
  for (const auto& member : node.members) {
    const std::string here = base::below(path, member.key);
    ExpectedStep& step = expect.steps[member.key];
    if (member.value.kind == YamlNode::Kind::scalar) {
      step.state = reader.text(member.value, here);
    } else if (reader.is_map(member.value, here, "a state, or a map such as {attempts: 3}")) {
      read_keys(reader, member.value, here, kStepKeys, step);
    }
    const auto known = step.state.value_or("succeeded");
    if (known != "none" && !model::parse_step_state(known))
      reader.problem(member.value, here, "'" + known + "' is no state of a step",
                     "there are succeeded, failed, skipped, and none for a step that is not made");
  }
}

void read_emitted(Reader& reader, Node node, Path path, Expectation& expect) {
  if (!reader.is_map(node, path, "a map from topics to their rows")) return;
  for (const auto& member : node.members) {
    const std::string here = base::below(path, member.key);
    ExpectedRows& rows = expect.emitted[member.key];
    if (is_count(member.value)) {
      rows.count = reader.count(member.value, here, 0, kMany);
    } else {
      rows.rows = read_array(reader, member.value, here);
    }
  }
}

void read_that(Reader& reader, Node node, Path path, Expectation& expect) {
  if (node.kind == YamlNode::Kind::scalar) {
    if (auto that = reader.expression(node, path, {})) expect.that.push_back(std::move(*that));
    return;
  }
  for (std::size_t i = 0; i < node.items.size(); ++i) read_that(reader, node.items[i], base::below(path, i), expect);
}

constexpr std::array<Key<Expectation>, 2> kTookKeys{{
    {"least", [](Reader& r, Node n, Path p, Expectation& t) { t.took_least = r.duration(n, p); }},
    {"most", [](Reader& r, Node n, Path p, Expectation& t) { t.took_most = r.duration(n, p); }},
}};

void read_took(Reader& reader, Node node, Path path, Expectation& expect) {
  if (reader.is_map(node, path, "a map such as {least: 1h, most: 2h}"))
    read_keys(reader, node, path, kTookKeys, expect);
}

constexpr std::array<Key<Expectation>, 10> kExpectKeys{{
    {"state", [](Reader& r, Node n, Path p, Expectation& t) { read_state(r, n, p, t.state); }},
    {"result", [](Reader& r, Node n, Path p, Expectation& t) { t.result = r.any(n, p); }},
    {"has", [](Reader& r, Node n, Path p, Expectation& t) { t.has = r.any(n, p); }},
    {"error", [](Reader& r, Node n, Path p, Expectation& t) { t.error = r.text(n, p); }},
    {"failed_step", [](Reader& r, Node n, Path p, Expectation& t) { t.failed_step = r.text(n, p); }},
    {"calls", read_calls},
    {"steps", read_steps},
    {"emitted", read_emitted},
    {"that", read_that},
    {"took", read_took},
}};

void read_expect(Reader& reader, Node node, Path path, Expectation& expect) {
  if (!reader.is_map(node, path, "a map of what must be true of the run")) return;
  if (node.find("error") && !node.find("state")) expect.state = "failed";
  read_keys(reader, node, path, kExpectKeys, expect);
}

// --- tests and files

constexpr std::array<Key<Draft<Test>>, 5> kTestKeys{{
    {"params",
     [](Reader& r, Node n, Path p, Draft<Test>& t) { t.value.params = read_object(r, n, p, "a map of parameters"); }},
    {"mocks", [](Reader& r, Node n, Path p, Draft<Test>& t) { read_mocks(r, n, p, t.value.mocks, t.folder); }},
    {"recorded",
     [](Reader& r, Node n, Path p, Draft<Test>& t) { t.value.recorded = read_recording(r, n, p, t.folder); }},
    {"events", [](Reader& r, Node n, Path p, Draft<Test>& t) { read_events(r, n, p, t.value.events); }},
    {"expect", [](Reader& r, Node n, Path p, Draft<Test>& t) { read_expect(r, n, p, t.value.expect); }},
}};

void read_test_map(Reader& reader, Node node, Path path, Draft<TestFile>& draft) {
  if (!reader.is_map(node, path, "a map from the names of tests to tests")) return;
  for (const auto& member : node.members) {
    const std::string here = base::below(path, member.key);
    Test test{.name = member.key, .place = reader.place(member, here)};
    if (!reader.is_map(member.value, here, "a test: params, mocks, events, expect")) continue;
    if (!member.value.find("expect")) reader.problem(member.value, here, "`expect` is missing: what must come out");
    Draft<Test> inner{test, draft.folder};
    read_keys(reader, member.value, here, kTestKeys, inner);
    if (test.recorded && !member.value.find("params")) test.params = test.recorded->params();
    draft.value.tests.push_back(std::move(test));
  }
  if (draft.value.tests.empty()) reader.problem(node, path, "there is no test");
}

void read_jobs(Reader& reader, Node node, Path path, Draft<TestFile>& draft) {
  if (node.kind == YamlNode::Kind::list) {
    for (std::size_t i = 0; i < node.items.size(); ++i) read_jobs(reader, node.items[i], base::below(path, i), draft);
    return;
  }
  const fs::path file = draft.folder / reader.text(node, path);
  std::error_code error;
  if (!fs::is_regular_file(file, error)) return reader.problem(node, path, "there is no file " + file.string());
  draft.value.jobs.push_back(file);
}

void read_names(Reader& reader, Node node, Path path, std::set<std::string>& names) {
  if (node.kind != YamlNode::Kind::list)
    return reader.problem(node, path, "a list of methods is needed here, not " + config::kind_text(node));
  for (std::size_t i = 0; i < node.items.size(); ++i) names.insert(reader.text(node.items[i], base::below(path, i)));
}

constexpr std::array<Key<Draft<TestFile>>, 6> kFileKeys{{
    {"job", read_jobs},
    {"now",
     [](Reader& r, Node n, Path p, Draft<TestFile>& t) {
       const auto instant = base::parse_instant(r.text(n, p));
       if (!instant) return r.problem(n, p, "an instant such as 2026-03-01T08:00:00Z is needed here");
       t.value.start = *instant;
     }},
    {"limits", [](Reader& r, Node n, Path p, Draft<TestFile>& t) { t.value.limits = r.permits(n, p); }},
    {"real", [](Reader& r, Node n, Path p, Draft<TestFile>& t) { read_names(r, n, p, t.value.real); }},
    {"mocks", [](Reader& r, Node n, Path p, Draft<TestFile>& t) { read_mocks(r, n, p, t.value.mocks, t.folder); }},
    {"tests", read_test_map},
}};

// x.test.yaml tests x.yaml, and whatever else has the same name.
std::vector<fs::path> jobs_beside(const fs::path& file) {
  const std::string stem = file.stem().stem().string();
  std::vector<fs::path> found;
  std::error_code error;
  for (const char* extension : {".yaml", ".yml", ".lua"})
    if (const fs::path job = file.parent_path() / (stem + extension); fs::is_regular_file(job, error))
      found.push_back(job);
  return found;
}

// Mocks see three names; what an expectation sees depends on the run and is told when it is evaluated.
void check_names(Reader& reader) {
  static const std::vector<std::string> kKnown{"input", "attempt", "step",    "result",
                                               "steps", "calls",   "emitted", "params"};
  for (const auto& use : reader.uses())
    if (std::find(kKnown.begin(), kKnown.end(), use.reference.root) == kKnown.end())
      reader.problem(use.place, "unknown name '" + use.reference.root + "'", base::suggest(use.reference.root, kKnown));
}

}  // namespace

std::string read_file(const fs::path& file, std::size_t limit) {
  std::error_code error;
  if (!fs::exists(file, error)) throw base::not_found("there is no file " + file.string());
  if (!fs::is_regular_file(file, error)) throw base::refused("this is no file", {file.string()});
  if (fs::file_size(file, error) > limit)
    throw base::refused("the file is larger than " + std::to_string(limit >> 20) + " MiB", {file.string()});
  std::ifstream in(file, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(in), {}};
  if (!in) throw base::refused("the file cannot be read", {file.string()});
  return text;
}

TestFile read_tests(const fs::path& file) {
  const std::string text = read_file(file);
  const config::YamlDocument document(text, file.string());
  Reader reader(document, text);
  TestFile tests{.file = file.string(), .start = *base::parse_instant("2026-01-05T08:00:00Z")};
  const fs::path folder = file.parent_path();
  Draft<TestFile> draft{tests, folder};
  const YamlNode& root = document.root();
  if (reader.is_map(root, {}, "a map with `tests`")) {
    if (!root.find("tests")) reader.problem(root, {}, "the key 'tests' is missing");
    read_keys(reader, root, {}, kFileKeys, draft);
    if (!root.find("job")) tests.jobs = jobs_beside(file);
    if (tests.jobs.empty() && !root.find("job"))
      reader.problem(root, {}, "there is no job beside this file that has its name", "say `job: FILE`");
  }
  check_names(reader);
  if (!reader.problems().empty()) throw base::Error(base::ErrorKind::refused, std::move(reader.problems()));
  return tests;
}

}  // namespace godwit::lab
