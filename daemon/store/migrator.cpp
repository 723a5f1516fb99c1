#include "store/migrator.hpp"

#include <spdlog/fmt/fmt.h>

#include "base/error.hpp"
#include "base/log.hpp"

namespace godwit::store {
namespace {

constexpr int kOldestServer = 150000;
// Any number that no other program uses for its locks in this database.
constexpr auto kLock = "SELECT pg_advisory_xact_lock(7016996765293437281)";

// The last migration that was done; 0 for an empty database.
int last_done(pqxx::work& work) {
  work.exec("CREATE SCHEMA IF NOT EXISTS godwit");
  work.exec(
      "CREATE TABLE IF NOT EXISTS godwit.migration (number integer PRIMARY KEY, name text NOT NULL, done_at "
      "timestamptz NOT NULL DEFAULT now())");
  return work.exec1("SELECT coalesce(max(number), 0) FROM godwit.migration")[0].as<int>();
}

// Does the next migration that is missing; false when there was none.
bool migrate_once(Connection& connection, std::span<const Migration> migrations) {
  bool done = false;
  connection.transaction([&](pqxx::work& work) {
    work.exec("SET LOCAL client_min_messages = 'warning'; SET LOCAL lock_timeout = 0");
    work.exec(kLock);
    const int last = last_done(work);
    const int newest = migrations.back().number;
    if (last > newest)
      throw base::refused(
          fmt::format("the schema godwit of the database is at version {}, this godwitd knows versions up to {}", last,
                      newest),
          {}, "run the newer godwitd that made it, or restore a backup from before");
    for (const auto& migration : migrations) {
      if (migration.number <= last) continue;
      base::log::info("database: migration {} ({})", migration.number, migration.name);
      work.exec(std::string(migration.sql));
      work.exec_params0("INSERT INTO godwit.migration (number, name) VALUES ($1, $2)", migration.number,
                        std::string(migration.name));
      done = true;
      return;
    }
  });
  return done;
}

}  // namespace

void migrate(Connection& connection, std::span<const Migration> migrations) {
  if (connection.server_version() < kOldestServer)
    throw base::refused(
        fmt::format("the database is PostgreSQL {}, godwit needs 15 or newer", connection.server_version() / 10000), {},
        "set database.url to a newer server");
  // Most starts find nothing to do, and then no lock is needed to see it.
  if (connection.exec("SELECT to_regclass('godwit.migration') IS NOT NULL")[0][0].as<bool>() &&
      connection.exec("SELECT coalesce(max(number), 0) FROM godwit.migration")[0][0].as<int>() ==
          migrations.back().number)
    return;
  while (migrate_once(connection, migrations)) {
  }
}

}  // namespace godwit::store
