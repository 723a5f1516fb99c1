// The part of Intake that is about submits by the SQL function.
#include "base/log.hpp"
#include "engine/countdown.hpp"
#include "engine/intake.hpp"

namespace godwit::engine {

namespace {

constexpr std::size_t kInboxPage = 512;  // submits taken at once
constexpr auto kOthersTime = std::chrono::seconds(20);

}  // namespace

std::optional<base::Duration> Intake::time_of_others() const {
  return parts_.cluster ? std::optional<base::Duration>(kOthersTime) : std::nullopt;
}

void Intake::read_inbox() {
  inbox_again_ = true;
  if (reading_inbox_ || stopped_ || draining_) return;
  reading_inbox_ = true;
  inbox_again_ = false;
  parts_.store.read_inbox(kInboxPage, [this](Result<std::vector<InboxEntry>> entries) {
    if (!entries) {
      reading_inbox_ = false;
      return base::log::warning("the inbox was not read: {}", entries.error().what());
    }
    inbox_again_ = inbox_again_ || entries->size() == kInboxPage;
    auto countdown = std::make_shared<Countdown>(entries->size() + 1, [this] {
      reading_inbox_ = false;
      if (inbox_again_) read_inbox();
      // Signals for runs that were taken just now were not this node's before.
      read_signals();
    });
    for (auto& entry : *entries) take_from_inbox(std::move(entry), [countdown] { countdown->arrived(); });
    countdown->arrived();
  });
}

void Intake::take_from_inbox(InboxEntry entry, std::function<void()> done) {
  Submitted submitted{.run = entry.run, .job = entry.job, .params = entry.params, .key = entry.key};
  submitted.submitted_by = entry.submitted_by;
  submitted.submitted_at = entry.submitted_at;
  submitted.pins = "{}";
  submitted.from_inbox = true;
  std::shared_ptr<const CompiledJob> job;
  try {
    const SubmitRequest request{.job = entry.job};
    const auto accepted = accept(request);
    auto params = base::parse_json(entry.params);
    if (!params.is_object()) throw base::refused("the parameters must be a JSON object");
    job = accepted.job;
    describe(submitted, accepted, std::move(params.as_object()), request);
  } catch (const base::Error& error) {
    // Another node may have what this one lacks, and gets some time to take it.
    if (const auto time = time_of_others(); time && parts_.clock.now() < entry.submitted_at + *time) {
      if (!std::exchange(inbox_timer_, true))
        parts_.clock.at(parts_.clock.tick() + *time / 4, [this] {
          inbox_timer_ = false;
          read_inbox();
        });
      return done();
    }
    return refuse_inbox(std::move(submitted), error.what(), std::move(done));
  }
  auto facts = facts_of(*job);
  facts.emplace_back(submitted);
  parts_.store.append(std::move(facts), [this, job, submitted = std::move(submitted),
                                         done = std::move(done)](const Verdict& verdict) mutable {
    if (verdict.kind == Verdict::committed) {
      parts_.jobs.stored(job->job().version);
      admit(std::move(submitted), job);
    } else if (verdict.unique) {
      submitted.unique.clear();
      return refuse_inbox(std::move(submitted),
                          "run " + model::text(*verdict.existing) + " is for the same and has not ended", done);
    }
    done();
  });
}

// The application's transaction is long over, so the refusal becomes the run's end, where the application looks for it.
void Intake::refuse_inbox(Submitted submitted, const std::string& why, std::function<void()> done) {
  RunDone end{.run = submitted.run, .state = model::RunState::failed, .at = parts_.clock.now()};
  end.failure = model::Failure{"refused", why, false, {}};
  std::vector<Fact> facts;
  facts.emplace_back(std::move(submitted));
  facts.emplace_back(std::move(end));
  parts_.store.append(std::move(facts), [done = std::move(done)](const Verdict&) { done(); });
}

}  // namespace godwit::engine
