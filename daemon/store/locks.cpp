#include "store/locks.hpp"

#include "base/error.hpp"
#include "store/values.hpp"

namespace godwit::store {
namespace {

constexpr auto kFence = "SELECT FROM godwit.node WHERE id = $1 AND epoch = $2 FOR SHARE";

constexpr auto kEnter = R"sql(
INSERT INTO godwit.lock (name, run, path, permits, granted, at)
VALUES ($1, $2, $3, $4, false, now()) ON CONFLICT (run, path) DO NOTHING)sql";

// What ended without letting go: its end was written by somebody who did not know of its locks.
constexpr auto kForget = R"sql(
DELETE FROM godwit.lock l USING godwit.run_done d WHERE l.name = $1 AND l.run <> $2 AND d.run = l.run)sql";

constexpr auto kGrant = R"sql(
UPDATE godwit.lock m SET granted = true WHERE m.run = $2 AND m.path = $3 AND NOT m.granted AND m.permits >
  (SELECT count(*) FROM godwit.lock o WHERE o.name = $1 AND (o.granted OR o.number < m.number)))sql";

constexpr auto kBefore = R"sql(
SELECT l.name, l.run, l.path, l.permits, l.granted FROM godwit.lock l, godwit.lock m WHERE m.run = $2 AND m.path = $3
  AND l.name = $1 AND (l.granted OR l.number <= m.number) ORDER BY l.run = $2 AND l.path = $3 DESC, l.granted DESC, l.number LIMIT 64)sql";

// Of each name so many of the first that wait as there is room for.
constexpr auto kGrantable = R"sql(
SELECT w.run FROM (SELECT DISTINCT name FROM godwit.lock WHERE NOT granted AND ($1 OR name = ANY ($2::text[] COLLATE "C"))) n
  CROSS JOIN LATERAL (SELECT count(*) AS had FROM godwit.lock g WHERE g.name = n.name AND g.granted) h
  CROSS JOIN LATERAL (SELECT l.run, l.permits, row_number() OVER (ORDER BY l.number) AS place FROM godwit.lock l
    WHERE l.name = n.name AND NOT l.granted ORDER BY l.number LIMIT 64) w
WHERE w.place <= w.permits - h.had)sql";

constexpr auto kRead = R"sql(
SELECT name, run, path, permits, granted FROM godwit.lock WHERE $1 = '' OR name = $1
ORDER BY granted DESC, number LIMIT CASE WHEN $1 = '' THEN NULL ELSE 64 END)sql";

std::vector<engine::LockRow> rows_of(const pqxx::result& result) {
  std::vector<engine::LockRow> rows;
  for (const auto& row : result)
    rows.push_back(
        {text(row[0]), run_id(row[1]), text(row[2]), static_cast<int>(integer(row[3])), view(row[4]) == "t"});
  return rows;
}

}  // namespace

std::vector<engine::LockRow> take_lock(Connection& connection, const NodeSeat& seat, const engine::LockRow& wanted) {
  std::vector<engine::LockRow> rows;
  connection.transaction([&](pqxx::work& work) {
    const auto run = model::number(wanted.run);
    rows.clear();
    // Whoever has the run now would never hear of a lock that is granted here.
    if (work.exec_params(kFence, seat.node, seat.epoch).empty()) return;
    work.exec_params("SELECT pg_advisory_xact_lock(hashtextextended('godwit.lock ' || $1, 0))", wanted.name);
    work.exec_params(kEnter, wanted.name, run, wanted.path, wanted.permits);
    work.exec_params(kForget, wanted.name, run);
    work.exec_params(kGrant, wanted.name, run, wanted.path);
    rows = rows_of(work.exec_params(kBefore, wanted.name, run, wanted.path));
  });
  if (rows.empty()) throw base::Error(base::ErrorKind::unavailable, "another godwitd took the place of this node");
  return rows;
}

std::vector<model::RunId> grantable_locks(Connection& connection, const std::vector<std::string>& names) {
  ArrayColumn wanted(ColumnType::text);
  for (const auto& name : names) wanted.add(name);
  std::vector<model::RunId> runs;
  for (const auto& row : connection.query(kGrantable, names.empty(), parameter(wanted))) runs.push_back(run_id(row[0]));
  return runs;
}

std::vector<engine::LockRow> read_locks(Connection& connection, const std::string& name) {
  return rows_of(connection.query(kRead, name));
}

}  // namespace godwit::store
