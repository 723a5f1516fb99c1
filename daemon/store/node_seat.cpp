#include "store/node_seat.hpp"

#include <spdlog/fmt/fmt.h>

#include "base/error.hpp"
#include "store/values.hpp"

namespace godwit::store {

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

void fold(Connection& connection, const NodeSeat& seat, const std::vector<std::int64_t>& ended) {
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
    work.exec_params1("SELECT godwit.fold_runs($1)", seat.node);
  });
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
