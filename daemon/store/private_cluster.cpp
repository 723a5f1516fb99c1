#include "store/private_cluster.hpp"

#include <poll.h>
#include <pthread.h>
#include <spdlog/fmt/fmt.h>
#include <sys/eventfd.h>

#include <system_error>

#include "base/log.hpp"
#include "store/connection.hpp"

namespace godwit::store {
namespace {

constexpr int kLogCheckMilliseconds = 10'000;
constexpr auto kFirstPause = std::chrono::milliseconds(100);
constexpr auto kLongestPause = std::chrono::milliseconds(5'000);
// A server that lived this long did start; its next end begins with the first pause again.
constexpr auto kGoodLife = std::chrono::milliseconds(300);

}  // namespace

PrivateCluster::PrivateCluster(const std::string& state_dir, const std::string& bin_dir)
    : state_dir_(state_dir), bin_dir_(bin_dir), wake_(eventfd(0, EFD_CLOEXEC)) {
  if (!wake_) throw std::system_error(errno, std::generic_category(), "eventfd");
}

PrivateCluster::~PrivateCluster() {
  stop();
}

void PrivateCluster::start() {
  files_.emplace(state_dir_, bin_dir_);
  files_->make();
  files_->write_settings();
  launch();
  thread_ = std::thread([this] { supervise(); });
  pthread_setname_np(thread_.native_handle(), "store-cluster");
}

void PrivateCluster::launch() {
  auto server = Postmaster::adopt(*files_);
  if (!server) {
    Postmaster::end_leftovers(*files_);
    server = Postmaster::spawn(*files_);
  }
  const std::lock_guard lock(mutex_);
  server_ = std::move(server);
  base::log::info("PostgreSQL of this daemon: pid {}{}", server_->pid(), server_->adopted() ? ", taken over" : "");
}

// True when the server has ended, false when the cluster is to stop.
bool PrivateCluster::wait_for_end() {
  for (;;) {
    pollfd fds[2] = {{server_->pidfd(), POLLIN, 0}, {wake_.get(), POLLIN, 0}};
    poll(fds, 2, kLogCheckMilliseconds);
    if (fds[1].revents) return false;
    if (fds[0].revents) return true;
    files_->bound_log();
  }
}

void PrivateCluster::supervise() {
  base::Duration delay = kFirstPause;
  auto began = base::tick();
  while (wait_for_end()) {
    {
      const std::lock_guard lock(mutex_);
      last_end_ = fmt::format("{}: {}", server_->end(), files_->log_tail());
      ++restarts_;
    }
    base::log::error("PostgreSQL ended with {}; starting it again", last_end_);
    if (base::tick() - began > kGoodLife) delay = kFirstPause;
    pollfd fd{wake_.get(), POLLIN, 0};
    if (poll(&fd, 1, static_cast<int>(delay.count() / 1000)) > 0) return;
    delay = std::min<base::Duration>(delay * 2, kLongestPause);
    began = base::tick();
    try {
      launch();
    } catch (const std::exception& error) {
      base::log::error("PostgreSQL cannot be started: {}", error.what());
    }
  }
}

void PrivateCluster::stop() {
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = write(wake_.get(), &one, sizeof one);
  if (thread_.joinable()) thread_.join();
  if (server_) server_->stop();
  server_.reset();
}

std::string PrivateCluster::url(const std::string& database) const {
  return fmt::format("host={}port=5432 user=godwit dbname={}", connection_value(files_->socket_dir().string()),
                     database);
}

base::json::object PrivateCluster::status() const {
  const std::lock_guard lock(mutex_);
  base::json::object status{{"restarts", restarts_}};
  if (server_) {
    status["pid"] = server_->pid();
    status["adopted"] = server_->adopted();
  }
  if (!last_end_.empty()) status["last_end"] = last_end_;
  return status;
}

pid_t PrivateCluster::pid() const {
  const std::lock_guard lock(mutex_);
  return server_ ? server_->pid() : 0;
}

}  // namespace godwit::store
