#include "lab/mock_runner.hpp"

#include "base/digest.hpp"
#include "base/json_text.hpp"

namespace godwit::lab {
namespace {

// Numbers of real calls are told apart from those of the base.
constexpr std::uint64_t kRealBit = 1ull << 63;

// The names that a mock's expressions see.
class CallScope {
 public:
  explicit CallScope(const engine::StepCall& call)
      : input_(base::parse_json(call.input)), attempt_(call.attempt), step_(call.path) {
    scope_.set("input", input_);
    scope_.set("attempt", attempt_);
    scope_.set("step", step_);
  }
  const expression::Scope& scope() const { return scope_; }

 private:
  json::value input_, attempt_, step_;
  expression::Scope scope_;
};

}  // namespace

const Mock* MockRunner::find_mock(const std::string& name) const {
  for (const Mocks* mocks : {&parts_.test.mocks, &parts_.file.mocks})
    if (const auto found = mocks->find(name); found != mocks->end()) return &found->second;
  return nullptr;
}

bool MockRunner::is_pure(const engine::Callable& callable) const {
  const auto plugin = parts_.catalog.find(callable.plugin);
  if (!plugin) return false;
  for (const auto& unit : plugin->manifest.units)
    if (unit.id == callable.unit) return unit.pure;
  return false;
}

MockRunner::Method MockRunner::make_method(const std::string& uses) const {
  Method method{.uses = uses, .mock = find_mock(uses)};
  auto callable = std::make_shared<engine::Callable>();
  callable->name = callable->plugin = callable->unit = uses;
  callable->version = "mock";
  callable->retry_safe = true;
  try {
    const auto installed = parts_.catalog.resolve(uses);
    *callable = *installed;
    method.installed = installed;
    // A run keeps to the method it was submitted with, by its name: in a test that is what the job says.
    callable->name = uses;
    if (!method.mock) method.mock = find_mock(installed->name);
    method.real = !method.mock && (is_pure(*installed) || parts_.file.real.contains(uses) ||
                                   parts_.file.real.contains(installed->name));
  } catch (const base::Error& error) {
    // A test needs no plugin for what it answers itself.
    if (!method.mock && !parts_.test.recorded)
      throw base::refused(
          "the test does not mock '" + uses + "', and it cannot be called for real: " + error.problems().front().what,
          {}, "add it to `mocks`");
  }
  if (method.mock && method.mock->retry_safe) callable->retry_safe = *method.mock->retry_safe;
  method.callable = std::move(callable);
  return method;
}

std::shared_ptr<const engine::Callable> MockRunner::resolve(const std::string& uses) const {
  const auto known = methods_.find(uses);
  if (known != methods_.end()) return known->second.callable;
  Method method = make_method(uses);
  uses_.emplace(method.callable.get(), uses);
  return methods_.emplace(uses, std::move(method)).first->second.callable;
}

void MockRunner::note(const Method& method, const engine::StepCall& call) {
  parts_.log.sent.push_back({call.run, call.path, method.uses, call.attempt, base::parse_json(call.input)});
  if (parts_.log.finished.contains({call.run, call.path}))
    parts_.log.faults.push_back("the step " + call.path + " was finished and was called again");
}

std::uint64_t MockRunner::start(std::shared_ptr<const engine::Callable> callable, engine::StepCall call,
                                engine::StepListener& listener) {
  const Method& method = method_of(*callable);
  note(method, call);
  const bool recorded = parts_.test.recorded && parts_.test.recorded->find(call.path);
  if (method.real && !recorded) return kRealBit | parts_.real.start(method.installed, std::move(call), listener);
  return VirtualRunner::start(std::move(callable), std::move(call), listener);
}

void MockRunner::cancel(std::uint64_t number) {
  if (number & kRealBit) return parts_.real.cancel(number & ~kRealBit);
  VirtualRunner::cancel(number);
}

std::string MockRunner::statement(const engine::SqlStep& step) {
  json::array parameters;
  for (const auto& parameter : step.parameters) parameters.push_back(base::parse_json(parameter));
  engine::StepCall call{.run = step.done.run, .path = step.done.path, .attempt = step.done.attempt};
  call.input = base::serialize(json::object{{"statement", step.statement}, {"parameters", std::move(parameters)}});
  const Method method{.uses = "sql.exec", .mock = find_mock("sql.exec")};
  note(method, call);
  const auto outcome = outcome_of(method, call);
  if (const auto* success = std::get_if<engine::StepSucceeded>(&outcome)) return success->output;
  const auto* failed = std::get_if<engine::StepFailed>(&outcome);
  throw base::refused(failed ? failed->failure.message : "the database is away");
}

const MockRule* MockRunner::rule_of(const Method& method, const engine::StepCall& call) const {
  if (!method.mock) return nullptr;
  const CallScope scope(call);
  for (const auto& rule : method.mock->rules) {
    if (rule.attempt && *rule.attempt != call.attempt) continue;
    if (!rule.when) return &rule;
    const auto fits = parts_.language.evaluate(*parts_.language.compile(*rule.when), scope.scope());
    if (!fits.is_null() && fits != json::value(false)) return &rule;
  }
  return nullptr;
}

std::optional<base::Duration> MockRunner::takes(const engine::Callable& callable, const engine::StepCall& call) {
  base::Duration duration{};
  try {
    if (const MockRule* rule = rule_of(method_of(callable), call)) duration = rule->takes;
  } catch (const base::Error&) {
    // It is told when the outcome is asked for.
  }
  if (seed_ == 0) return duration;
  const auto chance = static_cast<std::uint64_t>(
      base::sha256_prefix(std::to_string(seed_) + "/" + call.path + "/" + std::to_string(call.attempt)));
  return duration + base::Duration(chance % 1000);
}

engine::StepOutcome MockRunner::outcome(const engine::Callable& callable, const engine::StepCall& call,
                                        engine::StepListener&) {
  return outcome_of(method_of(callable), call);
}

engine::StepOutcome MockRunner::outcome_of(const Method& method, const engine::StepCall& call) {
  try {
    if (const MockRule* rule = rule_of(method, call)) return answer(*rule, method, call);
  } catch (const base::Error& error) {
    parts_.log.faults.push_back("the mock of " + method.uses + " failed for " + call.path + ": " + error.what());
    return engine::StepFailed{{"mock", error.what(), false, {}}};
  }
  if (const auto* recorded = parts_.test.recorded ? parts_.test.recorded->find(call.path) : nullptr) return *recorded;
  return not_mocked(method, call);
}

engine::StepOutcome MockRunner::answer(const MockRule& rule, const Method& method, const engine::StepCall& call) {
  if (const auto* output = std::get_if<model::Template>(&rule.answer)) {
    const CallScope scope(call);
    const auto value = parts_.language.render(*parts_.language.compile(*output), scope.scope());
    return engine::StepSucceeded{base::serialize(value), {}};
  }
  if (const auto* failure = std::get_if<model::Failure>(&rule.answer)) return engine::StepFailed{*failure};
  if (std::holds_alternative<MockRule::Lost>(rule.answer))
    return engine::StepLost{{"crashed", "the test takes the plugin's process away", true, {}}};
  const auto& recording = *std::get<std::shared_ptr<const Recording>>(rule.answer);
  if (const auto* recorded = recording.find(call.path)) return *recorded;
  parts_.log.faults.push_back(call.path + " calls " + method.uses + ", and " + recording.file() + " has no such step");
  return engine::StepFailed{{"mock", "the recorded run has no step " + call.path, false, {}}};
}

engine::StepOutcome MockRunner::not_mocked(const Method& method, const engine::StepCall& call) {
  const std::string what = call.path + " calls " + method.uses + " (attempt " + std::to_string(call.attempt) + ")";
  parts_.log.faults.push_back(method.mock ? what + ", and no rule of its mock fits: " + call.input.substr(0, 200)
                                          : what + ", which the test does not mock; add it to `mocks` or to `real`");
  return engine::StepFailed{{"mock", what + ": no mock answers", false, {}}};
}

}  // namespace godwit::lab
