#include "store/health.hpp"

#include <spdlog/fmt/fmt.h>

#include <array>

#include "base/log.hpp"

namespace godwit::store {
namespace {

constexpr std::array<std::string_view, 4> kStates{"starting", "up", "down", "fenced"};

}  // namespace

void Health::set(State state, const std::string& error) {
  const std::lock_guard lock(mutex_);
  error_ = error;
  if (state == state_) return;
  const bool was_down = state_ == State::down;
  state_ = state;
  since_ = base::now();
  if (state == State::down) base::log::warning("the database is away: {}; trying again until it is back", error);
  if (state == State::fenced) base::log::error("{}", error);
  if (state == State::up && was_down) base::log::info("the database is back");
}

void Health::give_up(const std::string& error) {
  const std::lock_guard lock(mutex_);
  error_ = error;
  state_ = State::down;
  since_ = base::now();
  base::log::error("the store cannot be used: {}", error);
}

void Health::set_error(const std::string& error) {
  const std::lock_guard lock(mutex_);
  if (!error.empty() && error != error_) base::log::warning("the database: {}", error);
  error_ = error;
}

void Health::set_server_version(int version) {
  const std::lock_guard lock(mutex_);
  server_version_ = version;
}

void Health::add_warning(const std::string& warning) {
  base::log::warning("{}", warning);
  const std::lock_guard lock(mutex_);
  warnings_.emplace_back(warning);
}

base::json::object Health::show() const {
  const std::lock_guard lock(mutex_);
  base::json::object status{{"state", kStates[static_cast<std::size_t>(state_)]},
                            {"since", base::format_instant(since_)}};
  if (!error_.empty()) status["error"] = error_;
  if (server_version_ > 0)
    status["server_version"] = fmt::format("{}.{}", server_version_ / 10000, server_version_ % 10000);
  if (!warnings_.empty()) status["warnings"] = warnings_;
  return status;
}

}  // namespace godwit::store
