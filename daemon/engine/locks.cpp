#include "engine/locks.hpp"

#include "base/log.hpp"

namespace godwit::engine {

namespace {

constexpr std::size_t kShownMax = 5;

}  // namespace

void Locks::start(std::function<void(model::RunId, bool news)> wake) {
  wake_ = std::move(wake);
  store_.read_locks({}, [this](Result<std::vector<LockRow>> rows) {
    if (!rows) return base::log::warning("the locks of runs were not read: {}", rows.error().what());
    for (auto& row : *rows) names_[row.run].insert(std::move(row.name));
    look({}, true);
  });
  look_again_later();
}

// Of what dead nodes held nobody tells, nor is it certain that what was told arrived.
void Locks::look_again_later() {
  if (look_every_ <= base::Duration(0)) return;
  clock_.at(clock_.tick() + look_every_, [this] {
    if (stopped_) return;
    look({}, false);
    look_again_later();
  });
}

void Locks::take(LockRow wanted, Answer<Taken> answer) {
  names_[wanted.run].insert(wanted.name);
  store_.take_lock(wanted, [wanted, answer = std::move(answer)](Result<std::vector<LockRow>> rows) {
    if (!rows) return answer(rows.error());
    Taken taken;
    for (auto& row : *rows) {
      if (row.run == wanted.run && row.path == wanted.path)
        taken.granted = row.granted;
      else
        taken.before.push_back(std::move(row));
    }
    answer(std::move(taken));
  });
}

void Locks::let_go(model::RunId run, const std::string& path, const std::string& name) {
  store_.append({LockReleased{run, path, name}}, [this, name](const Verdict& verdict) {
    if (verdict.kind == Verdict::committed) released(name);
  });
}

void Locks::released(const std::string& name) {
  name.empty() ? look({}, true) : look({name}, true);
}

// What its stages ask for from now on is let go at its end, as its turn is.
void Locks::run_closes(model::RunId run) {
  if (const auto known = names_.find(run); known != names_.end())
    look({known->second.begin(), known->second.end()}, true);
}

void Locks::run_ended(model::RunId run) {
  const auto known = names_.extract(run);
  if (!known.empty()) look({known.mapped().begin(), known.mapped().end()}, true);
}

void Locks::look(std::vector<std::string> names, bool news) {
  if (stopped_ || !wake_) return;
  store_.grantable_locks(std::move(names), [this, news](Result<std::vector<model::RunId>> runs) {
    if (!runs) return base::log::warning("nobody looked for locks that are free: {}", runs.error().what());
    if (stopped_) return;
    for (const auto run : *runs) wake_(run, news);
  });
}

std::string text_of(const std::vector<LockRow>& before) {
  std::string text;
  for (std::size_t i = 0; i < before.size() && i < kShownMax; ++i) {
    const auto& row = before[i];
    text += (text.empty() ? "" : ", ") + std::string("run ") + model::text(row.run);
    if (!row.path.empty()) text += " (at " + row.path + ")";
    if (!row.granted) text += ", which waits too";
  }
  if (before.size() > kShownMax) text += " and " + std::to_string(before.size() - kShownMax) + " more";
  return text;
}

}  // namespace godwit::engine
