#pragma once
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "engine/clock.hpp"
#include "engine/store.hpp"

namespace godwit::engine {

// Named locks that runs hold or wait for: the turns of runs with the same `concurrency` key, and gw.lock. They stand in
// the store, which decides who has them; this asks it, and knows when somebody who waits should ask again.
class Locks {
 public:
  // `look_every`: after which it is looked for locks of which nobody told; zero for never.
  Locks(Store& store, Clock& clock, base::Duration look_every)
      : store_(store), clock_(clock), look_every_(look_every) {}

  // `wake` is called for a run that waits for a lock it may have now. When the run is another node's, that one should
  // be told if it is `news`, and looks by itself if it is not.
  void start(std::function<void(model::RunId, bool news)> wake);
  void stop() { stopped_ = true; }

  struct Taken {
    bool granted = false;
    std::vector<LockRow> before;  // who has it, and who came earlier; of many the first
  };
  // Asks for a lock, anew or again: what is had already stays had.
  void take(LockRow wanted, Answer<Taken> answer);
  // Gives back a lock of a run that goes on, or of nobody any more.
  void let_go(model::RunId run, const std::string& path, const std::string& name);
  // A LockReleased of this name (which need not be known) is stored, or the end of a run that had locks has begun, and
  // it keeps its turn, or it has ended.
  void released(const std::string& name);
  void run_closes(model::RunId run);
  void run_ended(model::RunId run);

 private:
  void look(std::vector<std::string> names, bool news);
  void look_again_later();

  Store& store_;
  Clock& clock_;
  base::Duration look_every_;
  std::function<void(model::RunId, bool news)> wake_;
  std::map<model::RunId, std::set<std::string>> names_;  // that runs have, or wait for
  bool stopped_ = false;
};

// Who is before a run, for people: "run 12 (at search[3]/lock)".
std::string text_of(const std::vector<LockRow>& before);

}  // namespace godwit::engine
