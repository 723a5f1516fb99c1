#pragma once
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <cstring>
#include <filesystem>
#include <future>
#include <thread>

#include "base/unique_fd.hpp"
#include "control/server.hpp"
#include "wire/rpc.hpp"

namespace godwit::control {

namespace json = base::json;

// A client that does as the test says, good manners or not.
class TestClient {
 public:
  explicit TestClient(const std::string& path) : fd_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
    connected_ = ::connect(fd_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  }

  bool connected() const { return connected_; }
  int fd() const { return fd_.get(); }
  // False when the other side is gone.
  bool send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t size = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (size <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(size));
    }
    return true;
  }
  // The next line, or empty at the end of the connection or after ten seconds.
  std::string line() {
    for (;;) {
      if (const auto end = buffer_.find('\n'); end != std::string::npos) {
        std::string result = buffer_.substr(0, end);
        buffer_.erase(0, end + 1);
        return result;
      }
      pollfd entry{fd_.get(), POLLIN, 0};
      if (::poll(&entry, 1, 10'000) != 1) return {};
      char chunk[65536];
      const ssize_t size = ::recv(fd_.get(), chunk, sizeof chunk, 0);
      if (size <= 0) return {};
      buffer_.append(chunk, static_cast<std::size_t>(size));
    }
  }
  json::object message() {
    const auto text = line();
    return text.empty() ? json::object() : base::parse_json(text).as_object();
  }
  json::object call(std::int64_t id, std::string_view method, json::object params = {}) {
    std::string text;
    wire::encode_rpc_request({id, std::string(method), std::move(params)}, text);
    send(text);  // a daemon that closes right away may have said why before
    return message();
  }
  bool closed() { return line().empty() && buffer_.empty(); }

 private:
  base::UniqueFd fd_;
  bool connected_ = false;
  std::string buffer_;
};

// A real server on a socket of its own with a handful of commands, its loop on a thread of its own.
class ServerFixture {
 public:
  explicit ServerFixture(ServerSettings settings = {}, std::vector<Command> more = {}) : table_(commands(std::move(more))) {
    char name[] = "/tmp/godwit-control-XXXXXX";
    folder_ = ::mkdtemp(name);
    settings.listener.path = path();
    server_ = std::make_unique<Server>(loop_, std::move(settings), table_);
    thread_ = std::thread([this] { loop_.run(); });
  }
  ~ServerFixture() {
    on_loop([this] { server_.reset(); });
    work_.reset();
    thread_.join();
    std::filesystem::remove_all(folder_);
  }

  std::string path() const { return folder_ + "/control.sock"; }
  TestClient client() const { return TestClient(path()); }
  void on_loop(std::function<void()> work) {
    std::promise<void> done;
    boost::asio::post(loop_, [&] {
      work();
      done.set_value();
    });
    done.get_future().get();
  }
  void take_no_changes(const std::string& why) {
    on_loop([&] { server_->take_no_changes([why] { return why; }); });
  }
  json::object status() {
    json::object result;
    on_loop([&] { result = server_->status(); });
    return result;
  }
  // Asks until the number of sessions is `count`; each question is a turn of the server's loop.
  bool wait_for_sessions(std::int64_t count) {
    const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (std::chrono::steady_clock::now() < give_up) {
      if (status().at("sessions").to_number<std::int64_t>() == count) return true;
      std::this_thread::yield();
    }
    return false;
  }

  std::vector<Reply> held;                         // of the command "hold"
  std::vector<std::uint64_t> ended_subscriptions;  // of the command "watch"

 private:
  std::vector<Command> commands(std::vector<Command> list) {
    list.push_back({"ping", Role::viewer, "Answers.", {}, [](Call call) { call.reply.result("pong"); }});
    list.push_back({"echo", Role::viewer, "Gives back what it gets.", {{"what", ParameterType::object, true, "anything"}},
                    [](Call call) { call.reply.result(call.arguments.take_object("what")); }});
    list.push_back({"big", Role::viewer, "Gives many bytes.", {{"bytes", ParameterType::count, true, "how many"}},
                    [](Call call) { call.reply.result(json::string(static_cast<std::size_t>(call.arguments.count("bytes")), 'x')); }});
    list.push_back({"hold", Role::viewer, "Does not answer yet.", {}, [this](Call call) { held.push_back(call.reply); }});
    list.push_back({"forget", Role::viewer, "Never answers.", {}, [](Call) {}});
    list.push_back({"refuse", Role::viewer, "Throws.", {}, [](Call) {
                      throw base::Error(base::ErrorKind::refused, {{"bad", {"a.yaml", 3, 7, "stages"}, "mend it"}, {"worse", {}, {}}});
                    }});
    list.push_back({"change", Role::operator_, "Changes something.", {}, [](Call call) { call.reply.result("changed"); }});
    list.push_back({"bug", Role::viewer, "Throws what it should not.", {}, [](Call) { throw std::out_of_range("a bug"); }});
    list.push_back({"who", Role::viewer, "Says who asks.", {}, [](Call call) { call.reply.result(call.caller.uid); }});
    list.push_back({"watch", Role::viewer, "Sends events.", {{"events", ParameterType::count, true, "how many"}}, [this](Call call) {
                      const auto channel = call.reply.channel();
                      const auto number = channel->subscribe([this] { ended_subscriptions.push_back(1); });
                      call.reply.result(number);
                      for (std::int64_t i = 0; i < call.arguments.count("events"); ++i) channel->send_event(number, {{"event", "n"}, {"n", i}});
                    }});
    return list;
  }

  std::string folder_;
  boost::asio::io_context loop_{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_{loop_.get_executor()};
  CommandTable table_;
  std::unique_ptr<Server> server_;
  std::thread thread_;
};

}  // namespace godwit::control
