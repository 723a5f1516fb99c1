#include "lab/story.hpp"

#include <algorithm>

#include "base/json_text.hpp"

namespace godwit::lab {
namespace {

// Nobody waits for the end of a job that needs more.
constexpr std::size_t kStepsMax = 5'000'000;
constexpr base::Duration kTimeMax = std::chrono::hours(24 * 366 * 10);
const char* const kSubmitKey = "lab";
const engine::Caller kCaller{0, "the lab"};

// A test is of one run. What the schedules of its job, and of the jobs beside it, would begin is no part of it: the
// engine never gets an answer to its question for schedules, and so none of them fires.
class StoreWithoutSchedules : public MemoryStore {
 public:
  using MemoryStore::MemoryStore;
  void load_schedules(engine::Answer<std::vector<engine::StoredSchedule>>) override {}
};

std::optional<Event> recorded_signal(const engine::WaitOpened& wait, const json::object& output) {
  const auto* payload = output.if_contains("payload");
  if (!payload) return std::nullopt;
  return Event{.kind = Event::Kind::signal, .name = wait.name, .payload = *payload};
}

std::optional<Event> recorded_decision(const engine::WaitOpened& wait, const json::object& output) {
  const auto* approved = output.if_contains("approved");
  if (!approved || !approved->is_bool()) return std::nullopt;
  Event event{.kind = approved->get_bool() ? Event::Kind::approve : Event::Kind::reject, .name = wait.path};
  if (const auto* comment = output.if_contains("comment"); comment && comment->is_string())
    event.comment = comment->get_string();
  return event;
}

// A rejection that failed its step stands in the error's words alone: "rejected by ann: not today".
json::object rejection_in(const model::Failure& failure) {
  constexpr std::string_view kRejected = "rejected by ";
  if (failure.code != "rejected" || !failure.message.starts_with(kRejected)) return {};
  const std::string_view said = std::string_view(failure.message).substr(kRejected.size());
  const auto colon = said.find(": ");
  json::object output{{"approved", false}, {"by", said.substr(0, colon)}};
  if (colon != std::string_view::npos) output["comment"] = said.substr(colon + 2);
  return output;
}

json::object output_of(const engine::StepOutcome& outcome) {
  if (const auto* failed = std::get_if<engine::StepFailed>(&outcome)) return rejection_in(failed->failure);
  const auto* done = std::get_if<engine::StepSucceeded>(&outcome);
  json::value output = done ? base::parse_json(done->output) : json::value();
  return output.is_object() ? std::move(output.get_object()) : json::object();
}

// Whoever decided in the recorded run had the role that it took.
std::vector<std::string> roles_asked_for(const engine::WaitOpened& wait) {
  constexpr std::string_view kRole = "role:";
  std::vector<std::string> roles;
  for (const auto& who : json::value_to<std::vector<std::string>>(base::parse_json(wait.detail).at("who")))
    if (who.starts_with(kRole)) roles.push_back(who.substr(kRole.size()));
  return roles;
}

// What came for a step that waited in the recorded run; empty when it waited in vain, or kept too little of what came.
std::optional<Event> recorded_event(const Recording& recording, const engine::WaitOpened& wait) {
  const bool signal = wait.kind == engine::WaitKind::signal, approval = wait.kind == engine::WaitKind::approval;
  const auto* outcome = signal || approval ? recording.find(wait.path) : nullptr;
  if (!outcome) return std::nullopt;
  const json::object output = output_of(*outcome);
  const auto* by = output.if_contains("by");
  if (!by || !by->is_string()) return std::nullopt;
  auto event = signal ? recorded_signal(wait, output) : recorded_decision(wait, output);
  if (!event) return std::nullopt;
  event->by = by->get_string();
  if (approval) event->roles = roles_asked_for(wait);
  return event;
}

// Whether the test itself says what comes for this step.
bool has_event_for(const Test& test, const engine::WaitOpened& wait) {
  return std::any_of(test.events.begin(), test.events.end(), [&](const Event& event) {
    if (event.kind == Event::Kind::signal) return wait.kind == engine::WaitKind::signal && event.name == wait.name;
    const bool decides = event.kind == Event::Kind::approve || event.kind == Event::Kind::reject;
    return decides && wait.kind == engine::WaitKind::approval && event.name == wait.path;
  });
}

}  // namespace

Story::Story(const Setting& setting, std::uint64_t seed, std::optional<MemoryStore::Death> death)
    : setting_(setting),
      seed_(seed),
      death_(death),
      clock_(setting.file.start),
      events_(setting.test.events.size(), Told::no) {}

void Story::begin_life() {
  store_ = std::make_unique<StoreWithoutSchedules>(memory_, clock_);
  if (lives_++ == 0) store_->death = death_;
  store_->statements = [this](const engine::SqlStep& step) { return runner_->statement(step); };
  runner_ = std::make_unique<MockRunner>(
      MockRunner::Parts{clock_, setting_.file, setting_.test, setting_.catalog, setting_.real, language_, log_}, seed_);
  scripts_ = std::make_unique<LocalScripts>(clock_);
  engine::EngineSettings settings;
  settings.scripts = scripts_.get();
  settings.limits = setting_.limits;
  settings.seed = seed_;
  engine_ = std::make_unique<engine::Engine>(std::move(settings), *store_, *runner_, clock_, setting_.library, [this] {
    log_.faults.push_back("the engine took another for its successor");
  });
  engine_->start([] {});
  if (!run_) submit();
  answered_.clear();
  // Whoever got no answer looks whether it was done, and else asks again.
  for (auto& told : events_)
    if (told == Told::asked) told = memory_.audit.size() > audited_ ? Told::yes : Told::no;
}

void Story::end_life() {
  clock_.forget();
  setting_.real.forget();
  engine_.reset();
  clock_.forget();
  for (const auto& [id, run] : memory_.runs)
    for (const auto& [path, done] : run.steps) log_.finished.insert({id, path});
}

void Story::submit() {
  engine_->submit(
      {.text = setting_.job_text, .file = setting_.job_file, .params = setting_.test.params, .key = kSubmitKey},
      kCaller, [this](engine::Result<engine::SubmitReceipt> receipt) {
        if (receipt)
          run_ = receipt->run;
        else
          refused_ = receipt.error();
      });
}

bool Story::ended() const {
  if (!run_) return false;
  const auto found = memory_.runs.find(last_run());
  return found != memory_.runs.end() && found->second.done;
}

// The run that was submitted, or the last of those that went on where it ended.
model::RunId Story::last_run() const {
  model::RunId last = *run_;
  for (const auto& [id, run] : memory_.runs) {
    if (run.submitted.options.empty()) continue;
    const auto options = base::parse_json(run.submitted.options);
    const auto* before = options.as_object().if_contains("continues");
    if (before && before->to_number<std::int64_t>() == model::number(last)) last = id;
  }
  return last;
}

// The next event, if it comes before anything else happens.
bool Story::fire_event() {
  if (!run_) return false;
  for (std::size_t i = 0; i < events_.size(); ++i) {
    if (events_[i] == Told::asked) return false;
    if (events_[i] == Told::yes) continue;
    const base::Tick due{setting_.test.events[i].at};
    if (const auto next = clock_.next_time(); next && *next < due) return false;
    if (due > clock_.tick()) clock_.advance(std::chrono::duration_cast<base::Duration>(due - clock_.tick()));
    fire(i);
    return true;
  }
  return false;
}

void Story::fire(std::size_t number) {
  events_[number] = Told::asked;
  audited_ = memory_.audit.size();
  const Event& event = setting_.test.events[number];
  tell(event, [this, &event, number](const engine::Result<engine::Nothing>& result) {
    events_[number] = Told::yes;
    if (!result) log_.faults.push_back(event.place.text() + ": this cannot be done: " + result.error().what());
  });
}

void Story::tell(const Event& event, engine::Answer<engine::Nothing> answered) {
  const engine::Caller caller{0, event.by, event.roles};
  switch (event.kind) {
    case Event::Kind::pause:
      return engine_->pause(*run_, caller, answered);
    case Event::Kind::resume:
      return engine_->resume(*run_, caller, answered);
    case Event::Kind::cancel:
      return engine_->cancel(*run_, caller, answered);
    case Event::Kind::signal:
      return engine_->signal(*run_, event.name, base::serialize(event.payload), caller, answered);
    case Event::Kind::approve:
    case Event::Kind::reject:
      return engine_->approve(*run_, {event.name, event.kind == Event::Kind::approve, event.comment}, caller, answered);
  }
}

// Sends what came in the recorded run for a step that waits now, unless the test says itself what comes. What a life
// that is over has sent is kept by the store.
bool Story::answer_as_recorded() {
  const auto& test = setting_.test;
  const auto found = run_ && test.recorded ? memory_.runs.find(*run_) : memory_.runs.end();
  if (found == memory_.runs.end() || std::count(events_.begin(), events_.end(), Told::asked) > 0) return false;
  const Memory::Run& run = found->second;
  for (const auto& [path, wait] : run.waits) {
    const bool is_sent = std::any_of(run.signals.begin(), run.signals.end(),
                                     [&](const auto& signal) { return signal.second.name == wait.name; });
    if (run.steps.contains(path) || is_sent || has_event_for(test, wait) || !answered_.insert(path).second) continue;
    const auto event = recorded_event(*test.recorded, wait);
    if (!event) continue;
    tell(*event, [this, path](const engine::Result<engine::Nothing>& result) {
      if (!result)
        log_.faults.push_back(path + ": " + setting_.test.recorded->file() +
                              " has an answer for this step that is not taken: " + result.error().what());
    });
    return true;
  }
  return false;
}

// A call that was cut off and must not be repeated blindly waits for a person; after a death the lab is this person.
bool Story::unblock() {
  if (lives_ < 2 || !run_ || unblocked_ > 100) return false;
  const auto run = last_run();
  const auto live = engine_->live(run);
  const auto* state = live.if_contains("state");
  if (!state || *state != json::value("blocked")) return false;
  const auto& attempts = memory_.runs.at(run).attempts;
  const bool doubtful =
      std::any_of(attempts.begin(), attempts.end(), [](const auto& entry) { return entry.second.in_doubt; });
  if (!doubtful) return false;
  ++unblocked_;
  engine_->retry(run, {}, kCaller, [](const engine::Result<model::RunId>&) {});
  return true;
}

// Lets one thing happen; false when nothing can.
bool Story::step() {
  if (store_->dead()) {
    end_life();
    begin_life();
    return true;
  }
  if (refused_) return false;
  if (clock_.run_one()) return true;
  if (ended()) return false;
  if (setting_.real.busy()) {
    setting_.real.wait();
    return true;
  }
  return unblock() || answer_as_recorded() || fire_event() || clock_.next_timer();
}

void Story::look(Outcome& outcome) {
  if (refused_) {
    outcome.state = kRefused;
    outcome.why = refused_->what();
    return;
  }
  const auto found = memory_.runs.find(outcome.run);
  if (found != memory_.runs.end() && found->second.done) {
    outcome.state = model::name(found->second.done->state);
    return;
  }
  engine_->why(outcome.run, [&](const engine::Result<json::object>& why) {
    if (!why) return;
    if (const auto* state = (*why).if_contains("state"); state && state->is_string())
      outcome.state = state->get_string();
    const auto* reasons = (*why).if_contains("reasons");
    if (!reasons || !reasons->is_array()) return;
    for (const auto& reason : reasons->get_array())
      if (const auto* text = reason.is_object() ? reason.get_object().if_contains("text") : nullptr;
          text && text->is_string())
        outcome.why += (outcome.why.empty() ? "" : "; ") + std::string(text->get_string());
  });
  clock_.run_posted();
}

Outcome Story::play() {
  begin_life();
  std::size_t steps = 0;
  while (step())
    if (++steps > kStepsMax || clock_.elapsed() > kTimeMax) {
      log_.faults.push_back("the run goes on for ever: after " + base::format_duration(clock_.elapsed()) +
                            " of its time it has not ended");
      break;
    }
  Outcome outcome;
  outcome.run = run_ ? last_run() : model::RunId{};
  look(outcome);
  end_life();
  for (const auto& fault : memory_.faults) log_.faults.push_back(fault);
  outcome.memory = std::move(memory_);
  outcome.groups = outcome.memory.groups;
  outcome.calls = std::move(log_.sent);
  outcome.faults = std::move(log_.faults);
  outcome.took = clock_.elapsed();
  outcome.unblocked = unblocked_;
  return outcome;
}

}  // namespace godwit::lab
