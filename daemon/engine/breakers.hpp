#pragma once
#include <array>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>

#include "base/json.hpp"
#include "engine/clock.hpp"
#include "engine/step_runner.hpp"
#include "model/breaker.hpp"

namespace godwit::engine {

// A circuit breaker for each provider. Closed: calls go through and are counted. Open, after too many have failed: none
// goes through until a pause is over. Half open: one call goes through, and what becomes of it closes the breaker or
// opens it again, for longer.
class Breakers {
 public:
  // `specs` by the unit's name; "*" is for all providers that are not named.
  Breakers(Clock& clock, std::map<std::string, model::BreakerSpec> specs) : clock_(clock), specs_(std::move(specs)) {}
  ~Breakers();
  Breakers(const Breakers&) = delete;

  enum class State { closed, open, half_open };
  // Whether a call may be made now.
  bool admits(const Callable& callable) const;
  // A call that was admitted is made. Whether it is the one that decides about a breaker that is half open: what is
  // given back in end(), with the failure's code for people.
  bool begin(const Callable& callable);
  enum class Answer { good, bad, none };
  void end(const Callable& callable, bool probe, Answer answer, const std::string& code = {});

  // `woken` is called when a call may be made again; it says whether it was still waited for.
  using Woken = std::function<bool()>;
  void wait(const Callable& callable, Woken woken);

  // "10 of its last 12 calls went wrong (http_503); it is tried again at 2026-05-01T08:00:00Z"
  std::string text(const Callable& callable) const;
  std::optional<base::Duration> opens_in(const Callable& callable) const;
  // [{"provider", "plugin", "state", "calls", "failed", "waiting", "why", "until"}]
  base::json::array view() const;

 private:
  static constexpr std::size_t kParts = 10;

  struct Breaker {
    model::BreakerSpec spec;
    std::string plugin;
    State state = State::closed;
    struct Part {
      int good = 0, bad = 0;
    };
    std::array<Part, kParts> parts{};  // of the window
    std::int64_t part = 0;             // the number of the newest
    int calls = 0, failed = 0;         // when it opened
    bool probing = false;
    base::Duration pause{};
    base::Tick until{};
    std::string last_code;
    std::uint64_t timer = 0;
    std::deque<Woken> waiting;
  };

  const model::BreakerSpec* spec_of(const Callable& callable) const;
  Breaker* find(const Callable& callable);
  // The same; made if the callable is watched at all.
  Breaker* watch(const Callable& callable);
  const Breaker* find(const Callable& callable) const;
  std::string text(const Breaker& breaker) const;
  void count(Breaker& breaker, bool good);
  void open(const std::string& unit, Breaker& breaker);
  void half_open(const std::string& unit, Breaker& breaker);
  void try_again(const std::string& unit, base::Duration in);
  void close(Breaker& breaker);
  void wake_all(const std::string& unit);

  Clock& clock_;
  std::map<std::string, model::BreakerSpec> specs_;
  std::map<std::string, Breaker> breakers_;  // by unit
};

}  // namespace godwit::engine
