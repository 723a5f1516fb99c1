#include "store/expiry.hpp"

#include <spdlog/fmt/fmt.h>

#include <array>

#include "store/values.hpp"

namespace godwit::store {
namespace {

constexpr std::size_t kPage = 1000;
// All that is kept of a run, with the name of the column that says whose it is. The run itself and its expiry go last:
// what is cut off is done again.
constexpr std::array<std::pair<std::string_view, std::string_view>, 18> kTables{{{"step", "run"},
                                                                                 {"attempt", "run"},
                                                                                 {"checkpoint", "run"},
                                                                                 {"emitted_row", "run"},
                                                                                 {"wait", "run"},
                                                                                 {"signal", "run"},
                                                                                 {"cursor", "run"},
                                                                                 {"artifact", "run"},
                                                                                 {"progress", "run"},
                                                                                 {"log", "run"},
                                                                                 {"run_change", "run"},
                                                                                 {"run_key", "run"},
                                                                                 {"lock", "run"},
                                                                                 {"rest", "run"},
                                                                                 {"mail", "run"},
                                                                                 {"open_run", "run"},
                                                                                 {"run_done", "run"},
                                                                                 {"run", "id"}}};

// Mail is for the node that has the run, which looks for it all the time: what is a day old has nobody to read it. Who
// takes the run over then reads in the store what the mail was about.
constexpr auto kOldMail = "DELETE FROM godwit.mail WHERE sent_at < now() - interval '1 day'";

// Runs that ended between the last fold of a node and its own end: nobody would ever take them out of the list that all
// nodes look at for work.
constexpr auto kEndedOfGone = R"sql(
DELETE FROM godwit.open_run o USING godwit.lease g, godwit.run_done d
WHERE g.until = '-infinity' AND o.node = g.node AND d.run = o.run)sql";

}  // namespace

void delete_leftovers(Connection& connection) {
  connection.exec(kOldMail);
  connection.exec(kEndedOfGone);
}

std::size_t delete_expired(Connection& connection) {
  std::vector<std::int64_t> runs;
  connection.transaction([&](pqxx::work& work) {
    runs.clear();
    for (const auto& row : work.exec_params(
             "SELECT run FROM godwit.expiry WHERE at < now() ORDER BY at LIMIT $1 FOR UPDATE SKIP LOCKED", kPage))
      runs.push_back(integer(row[0]));
    if (runs.empty()) return;
    const auto ids = array_of(runs);
    for (const auto& [table, column] : kTables)
      work.exec_params0(fmt::format("DELETE FROM godwit.{} WHERE {} = ANY ($1::bigint[])", table, column), ids);
    work.exec_params0("DELETE FROM godwit.expiry WHERE run = ANY ($1::bigint[])", ids);
  });
  return runs.size();
}

}  // namespace godwit::store
