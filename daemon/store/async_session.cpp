#include "store/async_session.hpp"

#include <fcntl.h>
#include <libpq-fe.h>

#include <charconv>
#include <cstring>
#include <stdexcept>
#include <system_error>

#include "store/connection.hpp"

namespace godwit::store {
namespace {

using Result = std::unique_ptr<PGresult, decltype(&PQclear)>;

// The first column of the first row; 0 where there is none.
int first_value(const PGresult* result) {
  int value = 0;
  if (PQntuples(result) == 0 || PQnfields(result) == 0) return value;
  const char* text = PQgetvalue(result, 0, 0);
  std::from_chars(text, text + std::strlen(text), value);
  return value;
}

}  // namespace

void AsyncSession::Finish::operator()(pg_conn* connection) const {
  PQfinish(connection);
}

AsyncSession::AsyncSession(const std::string& url, const std::string& purpose, Watchdog& watchdog,
                           base::Duration call_limit)
    : connection_(PQconnectdb(session_url(url, purpose).c_str())) {
  if (PQstatus(connection_.get()) != CONNECTION_OK) throw std::runtime_error(PQerrorMessage(connection_.get()));
  // What the server has to say beside its answers, libpq would print.
  PQsetNoticeReceiver(
      connection_.get(), [](void*, const PGresult*) {}, nullptr);
  socket_ = base::UniqueFd(fcntl(PQsocket(connection_.get()), F_DUPFD_CLOEXEC, 3));
  if (!socket_) throw std::system_error(errno, std::generic_category(), "a database session's socket");
  const Watchdog::Guard guard(watchdog, socket(), call_limit);
  for (const char* settings : {kSessionSettings, kKeyedSettings}) {
    const Result result(PQexec(connection_.get(), settings), PQclear);
    if (PQresultStatus(result.get()) != PGRES_COMMAND_OK) throw std::runtime_error(PQerrorMessage(connection_.get()));
  }
}

int AsyncSession::backend() const {
  return PQbackendPID(connection_.get());
}

bool AsyncSession::send(const std::string& name, const std::string& sql, const std::vector<std::string>& texts,
                        const std::vector<std::string_view>& binaries) {
  pending_ = {name, texts, binaries};
  preparing_ = prepared_.insert(name).second;
  if (!preparing_) return execute();
  return PQsendPrepare(connection_.get(), name.c_str(), sql.c_str(), 0, nullptr) == 1;
}

bool AsyncSession::execute() {
  std::vector<const char*> values;
  std::vector<int> lengths, formats;
  for (const auto& text : pending_.texts) {
    values.push_back(text.c_str());
    lengths.push_back(0);
    formats.push_back(0);
  }
  for (const auto& binary : pending_.binaries) {
    values.push_back(binary.data());
    lengths.push_back(static_cast<int>(binary.size()));
    formats.push_back(1);
  }
  return PQsendQueryPrepared(connection_.get(), pending_.name.c_str(), static_cast<int>(values.size()), values.data(),
                             lengths.data(), formats.data(), 0) == 1;
}

AsyncSession::Progress AsyncSession::receive() {
  if (PQconsumeInput(connection_.get()) == 0) return Progress::failed;
  while (PQisBusy(connection_.get()) == 0) {
    const Result result(PQgetResult(connection_.get()), PQclear);
    if (!result) return finish();
    if (PQresultStatus(result.get()) != (preparing_ ? PGRES_COMMAND_OK : PGRES_TUPLES_OK)) rejected_ = true;
    value_ = first_value(result.get());
  }
  return Progress::waiting;
}

// All results of what was sent last are there.
AsyncSession::Progress AsyncSession::finish() {
  if (PQstatus(connection_.get()) != CONNECTION_OK) return Progress::failed;
  if (std::exchange(rejected_, false)) {
    if (std::exchange(preparing_, false)) prepared_.erase(pending_.name);
    return Progress::rejected;
  }
  if (!std::exchange(preparing_, false)) return Progress::done;
  return execute() ? Progress::waiting : Progress::failed;
}

}  // namespace godwit::store
