#pragma once
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/unique_fd.hpp"
#include "store/watchdog.hpp"

struct pg_conn;

namespace godwit::store {

// A session with the database whose statements are sent and answered without waiting, for a thread that must not wait:
// libpqxx has no such call. One statement at a time; a session that failed is of no further use.
class AsyncSession {
 public:
  // `rejected`: the server gave an error, nothing was done. `failed`: the session is lost, and perhaps it was done.
  enum class Progress { waiting, done, rejected, failed };

  // Connects, which does wait. Throws std::runtime_error.
  AsyncSession(const std::string& url, const std::string& purpose, Watchdog& watchdog, base::Duration call_limit);

  // Stays open as long as the session object, whatever becomes of the connection.
  int socket() const { return socket_.get(); }
  int backend() const;
  bool knows(const std::string& name) const { return prepared_.contains(name); }
  std::size_t statements() const { return prepared_.size(); }

  // Sends the statement that is known by this name, prepared at its first use. `texts` are its first parameters in text
  // form, `binaries` the others in binary; these must stay where they are until the answer is there. False when the
  // session has failed.
  bool send(const std::string& name, const std::string& sql, const std::vector<std::string>& texts,
            const std::vector<std::string_view>& binaries);
  // What has come since; to be asked whenever the socket has something to read.
  Progress receive();
  // The integer in the first row, once done.
  int value() const { return value_; }

 private:
  struct Finish {
    void operator()(pg_conn* connection) const;
  };
  struct Statement {
    std::string name;
    std::vector<std::string> texts;
    std::vector<std::string_view> binaries;
  };

  bool execute();
  Progress finish();

  std::unique_ptr<pg_conn, Finish> connection_;
  base::UniqueFd socket_;  // a descriptor of our own: libpq closes its as soon as it sees the end
  std::set<std::string> prepared_;
  Statement pending_;
  bool preparing_ = false;
  bool rejected_ = false;
  int value_ = 0;
};

}  // namespace godwit::store
