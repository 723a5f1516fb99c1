#include "engine/breakers.hpp"

#include <algorithm>

namespace godwit::engine {

namespace json = base::json;

namespace {

constexpr std::string_view kStates[] = {"closed", "open", "half_open"};
// Those who waited come back little by little: what is just there again is not run over.
constexpr std::size_t kWakeAtOnce = 16;
constexpr auto kWakeInterval = std::chrono::milliseconds(100);

}  // namespace

Breakers::~Breakers() {
  for (auto& [unit, breaker] : breakers_)
    if (breaker.timer) clock_.cancel(breaker.timer);
}

const model::BreakerSpec* Breakers::spec_of(const Callable& callable) const {
  auto found = specs_.find(callable.unit);
  if (found == specs_.end() && callable.provider) found = specs_.find("*");
  if (found != specs_.end()) return found->second.off ? nullptr : &found->second;
  static const model::BreakerSpec kStandard;
  return callable.provider ? &kStandard : nullptr;
}

Breakers::Breaker* Breakers::find(const Callable& callable) {
  const auto found = breakers_.find(callable.unit);
  return found == breakers_.end() ? nullptr : &found->second;
}
const Breakers::Breaker* Breakers::find(const Callable& callable) const {
  const auto found = breakers_.find(callable.unit);
  return found == breakers_.end() ? nullptr : &found->second;
}

bool Breakers::admits(const Callable& callable) const {
  const Breaker* breaker = find(callable);
  return !breaker || breaker->state == State::closed || (breaker->state == State::half_open && !breaker->probing);
}

bool Breakers::begin(const Callable& callable) {
  Breaker* breaker = find(callable);
  if (!breaker || breaker->state != State::half_open) return false;
  breaker->probing = true;
  return true;
}

Breakers::Breaker* Breakers::watch(const Callable& callable) {
  if (Breaker* known = find(callable)) return known;
  const auto* spec = spec_of(callable);
  if (!spec) return nullptr;
  Breaker& breaker = breakers_[callable.unit];
  breaker.spec = *spec;
  breaker.plugin = callable.plugin;
  return &breaker;
}

void Breakers::count(Breaker& breaker, bool good) {
  const auto width = std::max<base::Duration>(breaker.spec.window / kParts, std::chrono::milliseconds(1));
  const std::int64_t now = clock_.tick().time_since_epoch() / width;
  if (now - breaker.part >= static_cast<std::int64_t>(kParts))
    breaker.parts.fill({});
  else
    while (breaker.part < now) breaker.parts[static_cast<std::size_t>(++breaker.part) % kParts] = {};
  breaker.part = now;
  auto& part = breaker.parts[static_cast<std::size_t>(now) % kParts];
  ++(good ? part.good : part.bad);
}

void Breakers::end(const Callable& callable, bool probe, Answer answer, const std::string& code) {
  Breaker* breaker = watch(callable);
  if (!breaker) return;
  if (answer == Answer::bad) breaker->last_code = code;
  if (probe) {
    breaker->probing = false;
    if (breaker->state != State::half_open) return;
    if (answer == Answer::good) {
      close(*breaker);
      return wake_all(callable.unit);
    }
    if (answer == Answer::bad) return open(callable.unit, *breaker);
    return half_open(callable.unit, *breaker);  // it said nothing
  }
  if (answer == Answer::none || breaker->state != State::closed) return;
  count(*breaker, answer == Answer::good);
  int good = 0, bad = 0;
  for (const auto& part : breaker->parts) good += part.good, bad += part.bad;
  if (answer == Answer::good || bad < breaker->spec.failures || bad < breaker->spec.share * (good + bad)) return;
  breaker->calls = good + bad;
  breaker->failed = bad;
  breaker->pause = base::Duration(0);
  open(callable.unit, *breaker);
}

void Breakers::open(const std::string& unit, Breaker& breaker) {
  breaker.pause = breaker.pause.count() == 0 ? breaker.spec.pause : std::min(breaker.pause * 2, breaker.spec.pause_max);
  breaker.state = State::open;
  breaker.until = clock_.tick() + breaker.pause;
  try_again(unit, breaker.pause);
}

void Breakers::try_again(const std::string& unit, base::Duration in) {
  Breaker& breaker = breakers_.at(unit);
  if (breaker.timer) clock_.cancel(breaker.timer);
  breaker.timer = clock_.at(clock_.tick() + in, [this, unit] {
    Breaker& again = breakers_.at(unit);
    again.timer = 0;
    half_open(unit, again);
  });
}

// One call goes through: that of the first who still waits, or of whoever comes.
void Breakers::half_open(const std::string& unit, Breaker& breaker) {
  breaker.state = State::half_open;
  while (!breaker.waiting.empty() && !breaker.probing) {
    const auto woken = std::move(breaker.waiting.front());
    breaker.waiting.pop_front();
    if (woken()) break;
  }
  // Whoever was woken may wait for something else first, and may never come: then the next one is.
  if (!breaker.waiting.empty() && breaker.state == State::half_open) try_again(unit, breaker.spec.pause);
}

void Breakers::close(Breaker& breaker) {
  if (breaker.timer) clock_.cancel(std::exchange(breaker.timer, 0));
  breaker.state = State::closed;
  breaker.parts.fill({});
}

void Breakers::wake_all(const std::string& unit) {
  Breaker& breaker = breakers_.at(unit);
  for (std::size_t i = 0; i < kWakeAtOnce && breaker.state == State::closed && !breaker.waiting.empty(); ++i) {
    const auto woken = std::move(breaker.waiting.front());
    breaker.waiting.pop_front();
    woken();
  }
  if (breaker.state != State::closed || breaker.waiting.empty()) return;
  breaker.timer = clock_.at(clock_.tick() + kWakeInterval, [this, unit] {
    breakers_.at(unit).timer = 0;
    wake_all(unit);
  });
}

void Breakers::wait(const Callable& callable, Woken woken) {
  Breaker& breaker = breakers_.at(callable.unit);
  breaker.waiting.push_back(std::move(woken));
  if (breaker.state == State::half_open && !breaker.timer) try_again(callable.unit, breaker.spec.pause);
}

std::string Breakers::text(const Breaker& breaker) const {
  std::string text = std::to_string(breaker.failed) + " of its last " + std::to_string(breaker.calls) +
                     " calls went wrong (" + breaker.last_code + "); ";
  if (breaker.state == State::half_open) return text + "it is being tried";
  const auto left = std::chrono::duration_cast<base::Duration>(breaker.until - clock_.tick());
  return text + "it is tried again at " + base::format_instant(clock_.now() + left);
}

std::string Breakers::text(const Callable& callable) const {
  const Breaker* breaker = find(callable);
  return breaker ? text(*breaker) : std::string();
}

std::optional<base::Duration> Breakers::opens_in(const Callable& callable) const {
  const Breaker* breaker = find(callable);
  if (!breaker || breaker->state != State::open) return std::nullopt;
  return std::max(base::Duration(0), std::chrono::duration_cast<base::Duration>(breaker->until - clock_.tick()));
}

json::array Breakers::view() const {
  json::array out;
  for (const auto& [unit, breaker] : breakers_) {
    if (breaker.last_code.empty()) continue;
    const auto state = kStates[static_cast<std::size_t>(breaker.state)];
    json::object shown{{"provider", unit},
                       {"plugin", breaker.plugin},
                       {"state", json::string_view(state.data(), state.size())},
                       {"waiting", breaker.waiting.size()}};
    if (breaker.state != State::closed) {
      shown["why"] = text(breaker);
      const auto left =
          std::max(base::Duration(0), std::chrono::duration_cast<base::Duration>(breaker.until - clock_.tick()));
      shown["until"] = base::format_instant(clock_.now() + left);
    }
    out.push_back(std::move(shown));
  }
  return out;
}

}  // namespace godwit::engine
