#pragma once
#include <string>

#include "engine/interventions.hpp"
#include "engine/migrations.hpp"

namespace godwit::engine {

// What somebody wants done with a run, in a form that can be sent to the node that has the run.
struct Order {
  std::string what;  // cancel, pause, resume, retry, signal, approve, migrate, why
  Caller caller;
  base::json::object arguments;
};
std::string order_text(const Order& order);
// Throws what is no order, or one of a newer version.
Order parse_order(std::string_view text);
// The answer to an order, and back.
std::string reply_text(const Result<base::json::value>& reply);
Result<base::json::value> parse_reply(std::string_view text);

// Does what orders say with the runs of this node.
class Orders {
 public:
  Orders(Interventions& interventions, Migrations& migrations)
      : interventions_(interventions), migrations_(migrations) {}

  void perform(model::RunId run, Order order, Answer<base::json::value> answer);

 private:
  Interventions& interventions_;
  Migrations& migrations_;
};

}  // namespace godwit::engine
