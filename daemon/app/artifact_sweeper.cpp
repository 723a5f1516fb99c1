#include "app/artifact_sweeper.hpp"

#include <boost/asio/post.hpp>
#include <algorithm>
#include <optional>

#include "base/log.hpp"

namespace godwit::app {
namespace {

// How many files are asked for in one query.
constexpr std::size_t kPage = 1000;

}  // namespace

ArtifactSweeper::ArtifactSweeper(const artifact::Files& files, engine::History& history, engine::Clock& clock,
                                 Timing timing)
    : files_(files), history_(history), clock_(clock), timing_(timing) {}

ArtifactSweeper::~ArtifactSweeper() {
  background_.stop();
  background_.join();
}

template <typename Work, typename Then>
void ArtifactSweeper::in_background(Work work, Then then) {
  boost::asio::post(background_, [this, alive = std::weak_ptr(alive_), work = std::move(work), then = std::move(then)] {
    try {
      clock_.post([alive, then, result = work()]() mutable {
        if (!alive.expired()) then(std::move(result));
      });
    } catch (const std::exception& error) {
      base::log::warning("artifacts that nobody needs any more are not removed: {}", error.what());
      clock_.post([this, alive] {
        if (!alive.expired()) again();
      });
    }
  });
}

void ArtifactSweeper::start(std::string store) {
  store_ = std::move(store);
  sweep();
}

void ArtifactSweeper::sweep() {
  in_background(
      [this] {
        using Idle = std::optional<std::vector<std::string>>;
        return files_.claim(store_) ? Idle(files_.idle(timing_.idle)) : Idle();
      },
      [this](std::optional<std::vector<std::string>> idle) {
        if (idle) return ask(std::move(*idle));
        base::log::warning("the files of artifacts in the state directory belong to another database: none is removed");
      });
}

void ArtifactSweeper::ask(std::vector<std::string> idle) {
  left_ = std::move(idle);
  if (left_.empty()) return again();
  const std::size_t first = left_.size() - std::min(left_.size(), kPage);
  std::vector<std::string> page(left_.begin() + static_cast<std::ptrdiff_t>(first), left_.end());
  left_.resize(first);
  history_.unknown_files(std::move(page), [this, alive = std::weak_ptr(alive_)](
                                              const engine::Result<std::vector<std::string>>& unknown) {
    if (alive.expired()) return;
    if (!unknown) return again();
    remove(*unknown);
  });
}

void ArtifactSweeper::remove(std::vector<std::string> unknown) {
  in_background(
      [this, unknown = std::move(unknown)] {
        std::size_t removed = 0;
        for (const auto& sha256 : unknown) removed += files_.remove(sha256, timing_.idle) ? 1 : 0;
        return removed;
      },
      [this](std::size_t removed) {
        if (removed > 0) base::log::info("{} artifacts were removed that no run has any more", removed);
        ask(std::move(left_));
      });
}

void ArtifactSweeper::again() {
  clock_.at(clock_.tick() + timing_.every, [this, alive = std::weak_ptr(alive_)] {
    if (!alive.expired()) sweep();
  });
}

}  // namespace godwit::app
