#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/time.hpp"
#include "engine/step_runner.hpp"

namespace godwit::host_pool {

class Host;

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

  Call* parent = nullptr;
  int depth = 0;
  Call* nested = nullptr;                              // the call it waits for
  std::unique_ptr<engine::StepListener> own_listener;  // of a nested call
};

}  // namespace godwit::host_pool
