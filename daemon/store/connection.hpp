#pragma once
#include <pqxx/pqxx>
#include <set>
#include <string>

#include "base/time.hpp"
#include "store/watchdog.hpp"

namespace godwit::store {

// What every session begins with. Plans of the journal's statements do not depend on their parameters, so planning
// again would be waste. Dates are read by parse_timestamp(), which knows this form. A session left in a transaction
// would hold the node's row against its successor.
inline constexpr auto kSessionSettings =
    "SET plan_cache_mode = force_generic_plan; SET jit = off; SET TimeZone = 'UTC'; SET DateStyle = 'ISO'; "
    "SET default_transaction_isolation = 'read committed'; SET lock_timeout = '8s'; SET "
    "idle_in_transaction_session_timeout = '10s'";

// For sessions all of whose statements go by keys and read no more than they are about. The planner, to whom a table that
// was empty a minute ago still is, would sort or scan whole ones for a page of them.
inline constexpr auto kKeyedSettings =
    "SET enable_seqscan = off; SET enable_bitmapscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off; "
    "SET enable_material = off";

// One session with the database, used by one thread. A call that fails by a lost connection leaves it unusable: make a
// new one.
class Connection {
 public:
  // `purpose` is shown by pg_stat_activity. Throws what libpqxx throws.
  Connection(const std::string& url, const std::string& purpose, Watchdog& watchdog, base::Duration call_limit);

  // Several statements without parameters, or one.
  pqxx::result exec(const std::string& sql);
  // One statement with parameters, its own transaction.
  template <typename... Values>
  pqxx::result query(const std::string& sql, const Values&... values) {
    const Watchdog::Guard guard(watchdog_, session_.sock(), call_limit_);
    pqxx::nontransaction work(session_);
    return work.exec_params(sql, values...);
  }
  // A statement that is sent and planned once, at its first use.
  bool has(const std::string& name) const { return prepared_.contains(name); }
  std::size_t statements() const { return prepared_.size(); }
  void prepare(const std::string& name, const std::string& sql);
  template <typename... Values>
  pqxx::result prepared(const std::string& name, const Values&... values) {
    const Watchdog::Guard guard(watchdog_, session_.sock(), call_limit_);
    pqxx::nontransaction work(session_);
    return work.exec_prepared(name, values...);
  }
  // Runs `body(Work&)` in a transaction and commits it.
  template <typename Work = pqxx::work, typename Body>
  void transaction(Body body) {
    const Watchdog::Guard guard(watchdog_, session_.sock(), call_limit_);
    Work work(session_);
    body(work);
    work.commit();
  }

  // Runs `body` under the same deadline as a call.
  template <typename Body>
  void guarded(Body body) {
    const Watchdog::Guard guard(watchdog_, session_.sock(), call_limit_);
    body();
  }

  int server_version() const { return session_.server_version(); }
  int backend() const { return session_.backendpid(); }
  int socket() const { return session_.sock(); }
  pqxx::connection& session() { return session_; }

 private:
  Watchdog& watchdog_;
  base::Duration call_limit_;
  pqxx::connection session_;
  std::set<std::string> prepared_;
};

// `url` (a URI or a list of key=value) with what every session of godwit needs, unless the operator said otherwise:
// time-outs, keepalives, a server that can write.
std::string session_url(const std::string& url, const std::string& purpose);

// A value for libpq's key=value form, with a space after it.
std::string connection_value(std::string_view value);

}  // namespace godwit::store
