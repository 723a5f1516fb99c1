#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.hpp"
#include "engine/step_runner.hpp"

namespace godwit::host_pool {

class Host;

// How much an attempt has kept in checkpoints. They live in the database, which has to last for everybody.
class CheckpointBudget {
 public:
  static constexpr std::size_t kKeysMax = 10'000;
  static constexpr std::size_t kSizeMax = 64u << 20;

  // Whether there is room; a value under the same key takes the place of the older one.
  bool add(std::string_view key, std::string_view value) {
    const auto known = sizes_.find(key);
    const std::size_t before = known == sizes_.end() ? 0 : known->second;
    if (total_ - before + value.size() > kSizeMax || (known == sizes_.end() && sizes_.size() >= kKeysMax)) return false;
    total_ += value.size() - before;
    if (known == sizes_.end())
      sizes_.emplace(key, value.size());
    else
      known->second = value.size();
    return true;
  }

 private:
  std::map<std::string, std::size_t, std::less<>> sizes_;
  std::size_t total_ = 0;
};

// One attempt of a step on its way through a host, or a call that a plugin makes of another.
struct Call {
  // Why it was told to end.
  enum class Ending { no, cancelled, deadline };

  std::uint64_t number = 0;
  std::shared_ptr<const engine::Callable> callable;
  engine::StepCall step;
  engine::StepListener* listener = nullptr;
  Host* host = nullptr;

  base::Tick turn{};  // while it waits
  bool dispatched = false;
  base::Tick not_after = base::Tick::max();  // a deadline that counts already while it waits, from the calling call
  base::Tick deadline = base::Tick::max();   // set when it is dispatched
  base::Tick last_sign{};                    // when it last showed that it gets on
  Ending ending = Ending::no;
  base::Tick kill_at = base::Tick::max();  // when it was told to end: by then it must have

  std::vector<engine::Emitted> emitted;
  std::size_t emitted_size = 0;
  CheckpointBudget checkpoints;
  bool asking = false;  // it waits for the reply to a question

  Call* parent = nullptr;
  int depth = 0;
  Call* nested = nullptr;                              // the call it waits for
  std::unique_ptr<engine::StepListener> own_listener;  // of a nested call
};

}  // namespace godwit::host_pool
