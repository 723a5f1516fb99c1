#pragma once
#include <boost/asio/io_context.hpp>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "host_pool/host_process.hpp"
#include "wire/host_messages.hpp"

namespace godwit::host_pool {

// The process that makes the HTTP requests of all plugins; started with the first one, and again after it was lost.
// Used on the engine's thread.
class Egress : private HostProcess::Events {
 public:
  struct Answer {
    wire::HostStatus status = wire::HostStatus::retry;
    std::string_view value;
    std::string_view body;
  };
  using Done = std::function<void(const Answer&)>;

  Egress(boost::asio::io_context& context, std::string program);
  ~Egress() override;

  // Makes a request to one of `hosts`; `done` comes later, or never after cancel(). Gives a number for cancel().
  std::uint64_t request(const std::vector<std::string>& hosts, std::string_view request, std::string_view body,
                        Done done);
  void cancel(std::uint64_t number);

 private:
  void on_frame(const wire::Frame& frame) override;
  void on_line(std::string_view line, std::string_view stream) override;
  void on_broken(const std::string& why) override;
  void on_closed() override {}
  void on_ended(const process::Exit& exit) override;

  void fail_later(std::uint64_t number, std::string message);
  void fail(std::uint64_t number, const std::string& message);

  boost::asio::io_context& context_;
  std::string program_;
  std::shared_ptr<HostProcess> process_;
  std::map<std::uint64_t, Done> waiting_;
  std::uint64_t last_ = 0;
  std::shared_ptr<int> alive_ = std::make_shared<int>();
};

}  // namespace godwit::host_pool
