#include "store/connection.hpp"

#include <libpq-fe.h>

#include <array>
#include <memory>

#include "base/error.hpp"

namespace godwit::store {
namespace {

struct Setting {
  const char* keyword;
  const char* value;
};
constexpr std::array kDefaults{
    Setting{"connect_timeout", "5"},    Setting{"tcp_user_timeout", "10000"},
    Setting{"keepalives_idle", "10"},   Setting{"keepalives_interval", "5"},
    Setting{"keepalives_count", "3"},   Setting{"target_session_attrs", "read-write"},
    Setting{"client_encoding", "UTF8"},
};

}  // namespace

std::string connection_value(std::string_view value) {
  std::string text = "'";
  for (const char c : value) {
    if (c == '\'' || c == '\\') text += '\\';
    text += c;
  }
  return text + "' ";
}

std::string session_url(const std::string& url, const std::string& purpose) {
  char* reason = nullptr;
  const std::unique_ptr<PQconninfoOption, void (*)(PQconninfoOption*)> options(PQconninfoParse(url.c_str(), &reason),
                                                                               PQconninfoFree);
  if (!options) {
    const std::unique_ptr<char, void (*)(void*)> owned(reason, PQfreemem);
    throw base::refused(std::string("the URL of the database cannot be read: ") + (reason ? reason : "out of memory"),
                        {}, "write it as postgresql://user@host:port/database");
  }
  std::string text;
  std::set<std::string> given;
  for (const auto* option = options.get(); option->keyword; ++option) {
    if (!option->val || !*option->val) continue;
    given.insert(option->keyword);
    text += std::string(option->keyword) + "=" + connection_value(option->val);
  }
  for (const auto& setting : kDefaults)
    if (!given.contains(setting.keyword)) text += std::string(setting.keyword) + "=" + connection_value(setting.value);
  if (!given.contains("application_name")) text += "application_name=" + connection_value("godwit " + purpose);
  return text;
}

Connection::Connection(const std::string& url, const std::string& purpose, Watchdog& watchdog,
                       base::Duration call_limit)
    : watchdog_(watchdog), call_limit_(call_limit), session_(session_url(url, purpose)) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
  // A new session must be set up like this one and must know that a call is in doubt, so libpqxx may not make one by
  // itself.
  session_.inhibit_reactivation(true);
#pragma GCC diagnostic pop
  exec(kSessionSettings);
}

pqxx::result Connection::exec(const std::string& sql) {
  const Watchdog::Guard guard(watchdog_, session_.sock(), call_limit_);
  pqxx::nontransaction work(session_);
  return work.exec(sql);
}

void Connection::prepare(const std::string& name, const std::string& sql) {
  if (prepared_.insert(name).second) session_.prepare(name, sql);
}

}  // namespace godwit::store
