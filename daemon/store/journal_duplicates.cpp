// The part of Journal that settles what brings a key, or a fire time of a schedule, that another run has already.
#include <spdlog/fmt/fmt.h>

#include <algorithm>

#include "store/journal.hpp"
#include "store/trouble.hpp"
#include "store/values.hpp"

namespace godwit::store {

using engine::Verdict;

namespace {

// What is parked costs the others a tenth of the time at most: a try of one takes 50 ms, see tables.cpp.
constexpr auto kParkedPause = std::chrono::milliseconds(500);

}  // namespace

bool Journal::brings_key(const Group& group) {
  return std::any_of(group.facts.begin(), group.facts.end(), [](const engine::Fact& fact) {
    const auto* submitted = std::get_if<engine::Submitted>(&fact);
    return submitted && !submitted->key.empty() && !submitted->from_inbox;
  });
}

// Somebody's transaction holds a row that is wanted. What an application can hold for as long as it likes is a key that
// it submits with: who brings one waits for the end of that by itself, tried again now and then, and nobody waits with
// it. False when no group brings a key.
bool Journal::park(Groups groups) {
  std::vector<Group*> keyed, others;
  for (auto* group : groups) (brings_key(*group) ? keyed : others).push_back(group);
  if (keyed.empty()) return false;
  if (groups.size() == 1) {
    parked_.push_back(std::move(*groups.front()));
    const std::lock_guard lock(mutex_);
    parked_due_ = base::tick() + kParkedPause * parked_.size();
    return true;
  }
  write(others);
  for (auto* group : keyed) write({&group, 1});
  return true;
}

// Finds groups that bring a key which is taken, settles them, and writes the others. False when there were none.
bool Journal::settle_duplicates(Groups groups) {
  const auto duplicates = find_duplicates(groups);
  if (duplicates.empty()) return false;
  std::vector<Group*> others;
  for (auto* group : groups) {
    const auto found = duplicates.find(group);
    if (found == duplicates.end())
      others.push_back(group);
    else
      settle(*group, found->second);
  }
  write(others);
  return true;
}

std::map<const Journal::Group*, Verdict> Journal::find_duplicates(Groups groups) {
  ArrayColumn runs(ColumnType::bigint), jobs(ColumnType::text), keys(ColumnType::text), uniques(ColumnType::text);
  std::map<model::RunId, const Group*> owners;
  for (const auto* group : groups) {
    for (const auto& fact : group->facts) {
      const auto* submitted = std::get_if<engine::Submitted>(&fact);
      if (!submitted) continue;
      owners[submitted->run] = group;
      runs.add(model::number(submitted->run));
      jobs.add(submitted->job);
      keys.add(submitted->from_inbox ? std::string_view() : submitted->key);
      uniques.add(submitted->unique);
    }
  }
  auto duplicates = find_taken_fires(groups);
  if (owners.empty()) return duplicates;
  const auto result = look_up(
      // A run of the inbox that another node was faster to take is a duplicate of itself.
      fmt::format(
          "SELECT u.run, coalesce(k.run, r.id, q.run), coalesce(k.run, r.id) IS NULL FROM unnest($1::bigint[], "
          "$2::text[], $3::text[], $4::text[]) AS u (run, job, key, only_one) "
          "LEFT JOIN godwit.run_key k ON u.key <> '' AND k.job = u.job AND k.key = u.key AND k.run <> u.run "
          "LEFT JOIN godwit.run_unique q ON u.only_one <> '' AND q.job = u.job AND q.key = u.only_one AND q.run <> "
          "u.run "
          "LEFT JOIN godwit.run r ON r.id = u.run AND r.node <> {} WHERE coalesce(k.run, r.id, q.run) IS NOT NULL",
          seat_.node),
      {&runs, &jobs, &keys, &uniques});
  for (const auto& row : result) {
    const auto existing = model::RunId(row[1].as<std::int64_t>());
    duplicates.emplace(owners.at(model::RunId(row[0].as<std::int64_t>())),
                       Verdict{Verdict::duplicate, existing, row[2].as<bool>(),
                               "run " + model::text(existing) + " has this key already"});
  }
  return duplicates;
}

// Groups whose fire time of a schedule led to another run, or was decided to lead to none.
std::map<const Journal::Group*, Verdict> Journal::find_taken_fires(Groups groups) {
  ArrayColumn schedules(ColumnType::text), instants(ColumnType::timestamptz), runs(ColumnType::bigint),
      made_up(ColumnType::smallint);
  std::map<model::RunId, const Group*> owners;
  for (const auto* group : groups) {
    for (const auto& fact : group->facts) {
      const auto* fired = std::get_if<engine::Fired>(&fact);
      if (!fired) continue;
      owners[fired->run] = group;
      schedules.add(fired->schedule);
      instants.add(fired->instant);
      runs.add(model::number(fired->run));
      made_up.add(std::int64_t(fired->made_up));
    }
  }
  std::map<const Group*, Verdict> taken;
  if (owners.empty()) return taken;
  const auto result = look_up(
      "SELECT u.run, f.run, f.why FROM unnest($1::text[], $2::timestamptz[], $3::bigint[], $4::smallint[]) AS u "
      "(schedule, instant, run, made_up) JOIN godwit.fire f ON f.schedule = u.schedule AND f.instant = u.instant AND "
      "f.run IS DISTINCT FROM u.run AND (f.run IS NOT NULL OR u.made_up = 0)",
      {&schedules, &instants, &runs, &made_up});
  for (const auto& row : result) {
    Verdict verdict{Verdict::duplicate, {}, false, {}};
    if (row[1].is_null()) {
      verdict.message = row[2].as<std::string>();
    } else {
      verdict.existing = model::RunId(row[1].as<std::int64_t>());
      verdict.message = "run " + model::text(*verdict.existing) + " is for this fire time already";
    }
    taken.emplace(owners.at(model::RunId(row[0].as<std::int64_t>())), std::move(verdict));
  }
  return taken;
}

// A query about what other transactions have written, repeated until it is answered.
pqxx::result Journal::look_up(const std::string& sql, const std::vector<ArrayColumn*>& columns) {
  for (;;) {
    try {
      const auto values = parameters(columns);
      return uplink_.get().query(sql, pqxx::prepare::make_dynamic_params(values));
    } catch (const std::exception& error) {
      health_.set(Health::State::down, describe(error));
      if (classify(error) == Trouble::lost)
        uplink_.drop();
      else
        uplink_.back_off();
    }
  }
}

}  // namespace godwit::store
