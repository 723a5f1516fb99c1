#include "store/node_seat.hpp"

#include <spdlog/fmt/fmt.h>

#include "store/values.hpp"

namespace godwit::store {

NodeSeat take_seat(Connection& connection, const std::string& name) {
  // A batch of the node's former life holds the row until it has committed, so what is read after this is all there
  // will be.
  const auto row = connection.query(
      "INSERT INTO godwit.node (name, epoch) VALUES ($1, nextval('godwit.epoch')) "
      "ON CONFLICT (name) DO UPDATE SET epoch = nextval('godwit.epoch'), started_at = now() "
      "RETURNING id, epoch, (SELECT id FROM godwit.store_identity)",
      name)[0];
  return {row[0].as<int>(), row[1].as<std::int64_t>(), row[2].as<std::string>()};
}

void fold(Connection& connection, const NodeSeat& seat, const std::vector<std::int64_t>& ended) {
  connection.transaction([&](pqxx::work& work) {
    // Commits of one node come one after the other in the order of their numbers, so nothing up to this one can appear
    // later.
    const auto rows = work.exec_params(
        "SELECT coalesce((SELECT number FROM godwit.fold WHERE node = n.id FOR UPDATE), 0), "
        "coalesce((SELECT max(number) FROM godwit.run WHERE node = n.id), 0) FROM godwit.node n WHERE n.id = $1 AND "
        "n.epoch = $2",
        seat.node, seat.epoch);
    if (rows.empty()) return;
    const auto from = rows[0][0].as<std::int64_t>(), to = rows[0][1].as<std::int64_t>();
    if (!ended.empty()) {
      work.exec_params0("DELETE FROM godwit.open_run WHERE node = $1 AND run = ANY ($2::bigint[])", seat.node,
                        array_of(ended));
      work.exec_params0("DELETE FROM godwit.rest WHERE run = ANY ($1::bigint[])", array_of(ended));
    }
    if (to <= from) return;
    work.exec_params0(
        "INSERT INTO godwit.open_run (node, run) SELECT r.node, r.id FROM godwit.run r WHERE r.node = $1 AND r.number "
        "> $2 AND r.number <= $3 "
        "AND NOT EXISTS (SELECT FROM godwit.run_done d WHERE d.run = r.id) ON CONFLICT DO NOTHING",
        seat.node, from, to);
    work.exec_params0(
        "INSERT INTO godwit.fold (node, number) VALUES ($1, $2) ON CONFLICT (node) DO UPDATE SET number = "
        "excluded.number",
        seat.node, to);
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
