#pragma once
#include <cstdint>
#include <deque>
#include <memory>
#include <set>
#include <unordered_map>
#include <utility>

#include "model/run.hpp"

namespace godwit::engine {

// Looks at the store that are under way. A run may come to memory and leave it, or end, before a look has its answer:
// what was seen of it then is old.
class Looks {
 public:
  // Under way until the last copy is gone.
  using Look = std::shared_ptr<const std::uint64_t>;
  Look begin();
  // A run left memory, or ended.
  void left(model::RunId run);
  bool is_old(const Look& look, model::RunId run) const;

 private:
  struct State {
    std::uint64_t last = 0;  // looks and leavings are counted together
    std::set<std::uint64_t> under_way;
    std::unordered_map<model::RunId, std::uint64_t> left;             // after the beginning of the oldest look
    std::deque<std::pair<std::uint64_t, model::RunId>> in_order;  // the same, and what was newer of the same run

    void end(std::uint64_t look);
  };
  std::shared_ptr<State> state_ = std::make_shared<State>();
};

}  // namespace godwit::engine
