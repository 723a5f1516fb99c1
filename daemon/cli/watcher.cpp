#include "cli/watcher.hpp"

#include <signal.h>
#include <unistd.h>

#include <cstring>

#include "base/terminal.hpp"
#include "cli/text.hpp"

namespace godwit::cli {
namespace {

namespace json = base::json;

constexpr auto kBarEvery = std::chrono::milliseconds(100);
constexpr auto kLineEvery = std::chrono::seconds(1);

// What is written when a person stops watching; a signal handler can do no more than write what is ready.
char farewell[160];

void on_interrupt(int) {
  [[maybe_unused]] const auto written = ::write(STDERR_FILENO, farewell, std::strlen(farewell));
  ::_exit(130);
}

void prepare_farewell(model::RunId run, bool bar) {
  const auto number = model::text(run);
  const std::string text = std::string(bar ? "\n" : "") + "godwit: run " + number + " goes on; `godwit watch " +
                           number + "` looks at it again, `godwit cancel " + number + "` ends it\n";
  std::strncpy(farewell, text.c_str(), sizeof farewell - 1);
  struct sigaction action {};
  action.sa_handler = on_interrupt;
  ::sigaction(SIGINT, &action, nullptr);
}

bool is_end(const std::string& state) {
  const auto known = model::parse_run_state(state);
  return known && model::is_terminal(*known);
}

}  // namespace

Watcher::Watcher(Session& session, model::RunId run, Style style)
    : session_(session),
      run_(run),
      reconnector_(session, run),
      style_(style),
      bar_(style == Style::follow && !session.json && session.tell_width > 0) {
  progress_.run = model::number(run);
  prepare_farewell(run, bar_);
}

json::object Watcher::until_end() {
  json::object outcome;
  reconnector_.until_done([&] { outcome = until_end_or_lost(); }, [this] { clear_bar(); });
  return outcome;
}

json::object Watcher::until_end_or_lost() {
  session_.call("run.follow", {{"run", model::number(run_)}, {"states", style_ == Style::silent}});
  reconnector_.answered();
  const auto patience = bar_ ? std::chrono::milliseconds(500) : std::chrono::milliseconds(60'000);
  for (bool ended = false; !ended;) {
    const auto event = session_.client().next_event(patience);
    if (event) {
      ended = on_event(event->event);
    } else if (bar_) {
      speed_.note(base::tick(), progress_.done);
      show_progress(true);
    }
  }
  clear_bar();
  auto outcome = session_.call("run.result", {{"run", model::number(run_)}});
  return outcome.is_object() ? std::move(outcome.get_object()) : json::object();
}

bool Watcher::on_event(const json::object& event) {
  if (session_.json && style_ == Style::follow) session_.print_json(event);
  const std::string kind = text_of(event, "event");
  if (kind == "log") {
    on_log(event);
  } else if (kind == "state" || kind == "progress") {
    progress_.update(event);
    speed_.note(base::tick(), progress_.done);
    if (kind == "state") on_state(event);
    show_progress(kind == "state");
  } else if (kind == "step" && text_of(event, "state") == "failed" && style_ == Style::follow && !session_.json) {
    clear_bar();
    const auto* error = object_of(event, "error");
    session_.tell(base::printable(text_of(event, "path") + " failed" + (error ? ": " + failure_text(*error) : "")) +
                  "\n");
  }
  return kind == "state" && is_end(progress_.state);
}

void Watcher::on_log(const json::object& event) {
  if (style_ != Style::follow || session_.json) return;
  clear_bar();
  session_.tell(log_line(event));
}

void Watcher::on_state(const json::object& event) {
  if (progress_.state == told_state_) return;
  told_state_ = progress_.state;
  if (progress_.state != "blocked" && progress_.state != "paused") return;
  clear_bar();
  const std::string detail = text_of(event, "detail");
  session_.note("run " + model::text(run_) + " is " + progress_.state + (detail.empty() ? "" : ": " + detail) +
                "; `godwit " + (progress_.state == "paused" ? "resume " : "why ") + model::text(run_) + "`");
}

void Watcher::show_progress(bool at_once) {
  if (style_ != Style::follow || session_.json || session_.quiet || is_end(progress_.state)) return;
  std::string stages;
  for (const auto& stage : progress_.stages) stages += stage.state + ",";
  const auto now = base::tick();
  if (stages == stages_ && !at_once &&
      now - shown_at_ < (bar_ ? base::Duration(kBarEvery) : base::Duration(kLineEvery)))
    return;
  progress_.rate = speed_.per_second();
  progress_.left.reset();
  if (progress_.rate > 0 && progress_.total > progress_.done) {
    progress_.left = std::chrono::seconds(
        static_cast<std::int64_t>(static_cast<double>(progress_.total - progress_.done) / progress_.rate + 0.5));
  }
  const std::string text =
      bar_ ? "\r\x1b[K" + progress_bar(progress_, session_.tell_width - 1) : progress_text(progress_) + "\n";
  if (text == shown_) return;
  shown_ = text;
  stages_ = stages;
  shown_at_ = now;
  session_.tell(text);
  bar_shown_ = bar_;
}

void Watcher::clear_bar() {
  if (std::exchange(bar_shown_, false)) session_.tell("\r\x1b[K");
  shown_.clear();
}

int print_outcome(Session& session, model::RunId run, const json::object& outcome) {
  if (session.json) session.print_json(outcome);
  const std::string state = text_of(outcome, "state");
  if (state == "succeeded") {
    const auto* value = outcome.if_contains("result");
    if (const auto left_out = left_out_text(outcome, "result", run); !left_out.empty())
      session.note(left_out);
    else if (!session.json)
      session.print(pretty(value ? *value : json::value()));
    return 0;
  }
  const auto* error = object_of(outcome, "error");
  const std::string step = error ? text_of(*error, "path") : std::string();
  const std::string what = "run " + model::text(run) + " " + (state == "failed" ? "failed" : "was " + state) +
                           (step.empty() ? "" : " in " + step);
  const std::string detail = error ? ": " + one_line(failure_text(*error, false)) : std::string();
  session.note(what + detail + "; `godwit show " + model::text(run) + "` says more");
  return 1;
}

}  // namespace godwit::cli
