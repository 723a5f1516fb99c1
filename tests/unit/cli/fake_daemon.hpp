#pragma once
#include <fcntl.h>
#include <stdio_ext.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <functional>
#include <thread>

#include "base/unique_fd.hpp"
#include "cli/session.hpp"
#include "support/file_text.hpp"
#include "support/temp_dir.hpp"
#include "wire/rpc.hpp"

namespace godwit::cli::test {

namespace json = base::json;

// A daemon on a socket of its own that answers as the test says, one client after the other.
class FakeDaemon {
 public:
  // Gives the answer to a request of the client number `client`, from 0; throws a base::Error to refuse it, and Gone to
  // close the connection.
  struct Gone {};
  using Answer = std::function<json::value(int client, const std::string& method, const json::object& params)>;

  explicit FakeDaemon(Answer answer)
      : answer_(std::move(answer)), listener_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path().c_str(), sizeof address.sun_path - 1);
    if (::bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
        ::listen(listener_.get(), 4) != 0)
      throw std::runtime_error("the fake daemon cannot listen");
    thread_ = std::thread([this] { serve(); });
  }
  ~FakeDaemon() {
    ::shutdown(listener_.get(), SHUT_RDWR);
    thread_.join();
  }
  std::string path() const { return (dir_ / "s").string(); }

  struct Result {
    int exit_code = -1;
    std::string out, err;
  };
  // What `godwit WORDS...` does with this daemon; with its standard output in a file of the system's, when one is
  // named.
  Result cli(std::vector<std::string> words, const std::string& out_file = {}) const {
    words.insert(words.end(), {"--socket", path()});
    const support::TempDir dir;
    Result result;
    {
      const Redirected out(STDOUT_FILENO, out_file.empty() ? dir / "out" : std::filesystem::path(out_file));
      const Redirected err(STDERR_FILENO, dir / "err");
      result.exit_code = run_program(words);
    }
    if (out_file.empty()) result.out = support::file_text(dir / "out");
    result.err = support::file_text(dir / "err");
    return result;
  }

 private:
  // A descriptor that leads to a file for a while.
  class Redirected {
   public:
    Redirected(int fd, const std::filesystem::path& file) : fd_(fd), before_(::dup(fd)) {
      std::fflush(nullptr);
      const base::UniqueFd to(::open(file.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
      ::dup2(to.get(), fd_);
    }
    // What could not be written is not for the next to write.
    ~Redirected() {
      std::fflush(nullptr);
      ::__fpurge(stdout);
      std::clearerr(stdout);
      ::dup2(before_.get(), fd_);
    }

   private:
    int fd_;
    base::UniqueFd before_;
  };

  void serve() {
    for (int client = 0;; ++client) {
      const base::UniqueFd socket(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (!socket) return;
      try {
        talk(client, socket.get());
      } catch (const Gone&) {
      }
    }
  }
  void talk(int client, int socket) {
    std::string input;
    char bytes[4096];
    for (ssize_t got; (got = ::recv(socket, bytes, sizeof bytes, 0)) > 0;) {
      input.append(bytes, static_cast<std::size_t>(got));
      for (std::size_t end; (end = input.find('\n')) != std::string::npos; input.erase(0, end + 1)) {
        const auto request = json::parse(input.substr(0, end)).as_object();
        const auto* params = request.if_contains("params");
        std::string says;
        try {
          wire::encode_rpc_result(request.at("id"),
                                  answer_(client, std::string(request.at("method").as_string()),
                                          params ? params->as_object() : json::object()),
                                  says);
        } catch (const base::Error& error) {
          wire::encode_rpc_error(request.at("id"), error, says);
        }
        says += std::exchange(events_, {});
        ::send(socket, says.data(), says.size(), MSG_NOSIGNAL);
      }
    }
  }

 public:
  // For an Answer: sends an event behind the answer that is being given.
  void event(const json::object& event) { wire::encode_rpc_event(1, event, events_); }

 private:
  Answer answer_;
  support::TempDir dir_;
  base::UniqueFd listener_;
  std::string events_;
  std::thread thread_;
};

}  // namespace godwit::cli::test
