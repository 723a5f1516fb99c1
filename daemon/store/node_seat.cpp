#include "store/node_seat.hpp"

#include <spdlog/fmt/fmt.h>

#include "base/error.hpp"
#include "store/values.hpp"

namespace godwit::store {
namespace {

// The oldest $2 runs that no fold has come to. Who looks at each of them by itself reads no more than that, whatever the
// planner thinks of the tables.
constexpr auto kFoldOldest = R"sql(
WITH oldest AS MATERIALIZED (SELECT r.id, r.number FROM godwit.run r
    WHERE r.node = $1 AND r.number > coalesce((SELECT f.number FROM godwit.fold f WHERE f.node = $1), 0) ORDER BY r.number LIMIT $2),
  opened AS (INSERT INTO godwit.open_run (node, run) SELECT $1, o.id FROM oldest o
    WHERE (SELECT d.run FROM godwit.run_done d WHERE d.run = o.id) IS NULL ON CONFLICT DO NOTHING),
  folded AS (INSERT INTO godwit.fold (node, number) SELECT $1, max(number) FROM oldest HAVING count(*) > 0
    ON CONFLICT (node) DO UPDATE SET number = greatest(fold.number, excluded.number))
SELECT count(*) FROM oldest)sql";

// How many it folded.
std::size_t fold_oldest(pqxx::work& work, const NodeSeat& seat, std::size_t most) {
  // Another session of this node may fold all meanwhile.
  work.exec_params("SELECT FROM godwit.fold WHERE node = $1 FOR UPDATE", seat.node);
  return work.exec_params1(kFoldOldest, seat.node, most)[0].as<std::size_t>();
}

}  // namespace

NodeSeat take_seat(Connection& connection, const SeatWish& wish) {
  NodeSeat seat;
  ArrayColumn offers(ColumnType::text);
  for (const auto& offer : wish.offers) offers.add(offer);
  connection.transaction([&](pqxx::work& work) {
    // A batch of the node's former life holds the row until it has committed, so what is read after this is all there
    // will be.
    const auto row = work.exec_params1(
        "INSERT INTO godwit.node (name, epoch) VALUES ($1, nextval('godwit.epoch')) "
        "ON CONFLICT (name) DO UPDATE SET epoch = nextval('godwit.epoch'), started_at = now() "
        "RETURNING id, epoch, (SELECT id FROM godwit.store_identity), nextval('godwit.fact_block')",
        wish.name);
    seat = {row[0].as<int>(), row[1].as<std::int64_t>(), row[2].as<std::string>(), row[3].as<std::int64_t>()};
    const auto held =
        work.exec_params("SELECT FROM godwit.lease WHERE node = $1 AND until > now() FOR UPDATE", seat.node);
    if (wish.only_if_free && !held.empty())
      throw base::refused("another godwitd has the name '" + wish.name + "' among those that share this database", {},
                          "give each its own: node.name");
    work.exec_params0(
        "INSERT INTO godwit.lease AS l (node, epoch, until, labels, offers, version) VALUES ($1, $2, CASE WHEN $3 > 0 "
        "THEN now() "
        "+ make_interval(secs => $3) ELSE 'infinity' END, $4, $5::text[], $6) ON CONFLICT (node) DO UPDATE SET epoch = "
        "excluded.epoch, until = excluded.until, labels = excluded.labels, offers = excluded.offers, version = "
        "excluded.version, renewed_at = now(), round = 0, whole = false",
        seat.node, seat.epoch, std::chrono::duration<double>(wish.lease).count(), wish.labels, parameter(offers),
        wish.version);
    // Nothing of its former life uses what it held of the limits.
    work.exec_params0("DELETE FROM godwit.quota WHERE node = $1", seat.node);
  });
  return seat;
}

void leave_seat(Connection& connection, const NodeSeat& seat) {
  connection.query(
      "SELECT godwit.end_lease(node) FROM godwit.lease WHERE node = $1 AND epoch = $2 AND until > '-infinity'",
      seat.node, seat.epoch);
}

void fold(Connection& connection, const NodeSeat& seat, const std::vector<std::int64_t>& ended, bool whole,
          UnfoldedRuns& unfolded) {
  const std::size_t known = unfolded.size();
  std::size_t folded = 0;
  connection.transaction([&](pqxx::work& work) {
    // Commits of one node come one after the other in the order of their numbers, so nothing up to the last can appear
    // later. Who ends this node's lease waits for the row.
    if (work.exec_params("SELECT FROM godwit.node WHERE id = $1 AND epoch = $2 FOR SHARE", seat.node, seat.epoch)
            .empty())
      return;
    if (!ended.empty()) {
      work.exec_params0("DELETE FROM godwit.open_run WHERE node = $1 AND run = ANY ($2::bigint[])", seat.node,
                        array_of(ended));
      work.exec_params0("DELETE FROM godwit.rest WHERE run = ANY ($1::bigint[])", array_of(ended));
    }
    if (!whole) folded = fold_oldest(work, seat, ended.size());
    if (whole) work.exec_params1("SELECT godwit.fold_runs($1)", seat.node);
  });
  // Fewer than were asked for are all there were.
  unfolded.drop(whole || folded < ended.size() ? known : folded);
}

void clear_open_runs(Connection& connection, const NodeSeat& seat) {
  connection.query("DELETE FROM godwit.open_run o USING godwit.run_done d WHERE o.node = $1 AND d.run = o.run",
                   seat.node);
  connection.query("DELETE FROM godwit.rest t USING godwit.run_done d WHERE t.node = $1 AND d.run = t.run", seat.node);
}

std::vector<std::string> durability_warnings(Connection& connection) {
  std::vector<std::string> warnings;
  for (const auto& row : connection.exec(
           "SELECT name, setting FROM pg_settings WHERE name IN ('fsync', 'full_page_writes', 'synchronous_commit')")) {
    const auto name = row[0].as<std::string>(), setting = row[1].as<std::string>();
    if (setting == "off")
      warnings.push_back(fmt::format(
          "the database has {} = {}: what godwit has acknowledged can be lost in a crash of its machine; set it to on",
          name, setting));
  }
  return warnings;
}

}  // namespace godwit::store
