#include "engine/looks.hpp"

namespace godwit::engine {

Looks::Look Looks::begin() {
  const auto number = ++state_->last;
  state_->under_way.insert(number);
  // Whoever still has it when the store is being stopped may outlive this.
  return {new std::uint64_t(number), [state = state_](const std::uint64_t* look) {
            state->end(*look);
            delete look;
          }};
}

void Looks::left(model::RunId run) {
  if (state_->under_way.empty()) return;
  state_->left[run] = ++state_->last;
  state_->in_order.emplace_back(state_->last, run);
}

bool Looks::is_old(const Look& look, model::RunId run) const {
  const auto found = state_->left.find(run);
  return found != state_->left.end() && found->second > *look;
}

// What no look that is under way can have seen as it was before is forgotten.
void Looks::State::end(std::uint64_t look) {
  under_way.erase(look);
  while (!in_order.empty() && (under_way.empty() || in_order.front().first < *under_way.begin())) {
    const auto [number, run] = in_order.front();
    in_order.pop_front();
    if (const auto found = left.find(run); found->second == number) left.erase(found);
  }
}

}  // namespace godwit::engine
