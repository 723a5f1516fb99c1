#pragma once
#include "cli/progress.hpp"
#include "cli/reconnector.hpp"
#include "cli/session.hpp"

namespace godwit::cli {

// Stays with one run until its end, over restarts of the daemon, and shows what happens on the way.
class Watcher {
 public:
  enum class Style {
    silent,  // only what a person has to know: that the run is blocked, that the daemon is gone
    follow,  // progress and log lines: a bar on a terminal, lines in a pipe, events with --json
  };
  Watcher(Session& session, model::RunId run, Style style);

  // Gives what run.result says of the run that has ended.
  base::json::object until_end();

 private:
  base::json::object until_end_or_lost();
  // True when it is the event of the run's end.
  bool on_event(const base::json::object& event);
  void on_log(const base::json::object& event);
  void on_state(const base::json::object& event);
  void show_progress(bool at_once);
  void clear_bar();

  Session& session_;
  model::RunId run_;
  Reconnector reconnector_;
  Style style_;
  bool bar_;
  Progress progress_;
  Speed speed_;
  bool bar_shown_ = false;
  base::Tick shown_at_;
  std::string shown_;
  std::string stages_;  // which stages are open: a change is shown at once
  std::string told_state_;
};

// Prints the result of an ended run, or its error; gives the exit code.
int print_outcome(Session& session, model::RunId run, const base::json::object& outcome);

}  // namespace godwit::cli
