#include "engine/orders.hpp"

#include "base/json_text.hpp"

namespace godwit::engine {

namespace json = base::json;

namespace {

// Answers of all kinds as JSON.
Answer<Nothing> nothing(Answer<json::value> answer) {
  return [answer = std::move(answer)](const Result<Nothing>& done) {
    done ? answer(json::value(nullptr)) : answer(done.error());
  };
}
Answer<json::object> object(Answer<json::value> answer) {
  return [answer = std::move(answer)](Result<json::object> shown) {
    shown ? answer(json::value(std::move(*shown))) : answer(shown.error());
  };
}

std::string text_of(const json::object& arguments, const char* name) {
  return std::string(arguments.at(name).as_string());
}

}  // namespace

std::string order_text(const Order& order) {
  return base::serialize(json::object{{"what", order.what},
                                      {"uid", order.caller.uid},
                                      {"who", order.caller.name},
                                      {"roles", json::value_from(order.caller.roles)},
                                      {"arguments", order.arguments}});
}

Order parse_order(std::string_view text) {
  const auto value = base::parse_json(text);
  const auto& object = value.as_object();
  return {std::string(object.at("what").as_string()),
          {object.at("uid").to_number<std::int64_t>(), std::string(object.at("who").as_string()),
           json::value_to<std::vector<std::string>>(object.at("roles"))},
          object.at("arguments").as_object()};
}

std::string reply_text(const Result<json::value>& reply) {
  if (reply) return base::serialize(json::object{{"done", *reply}});
  json::array problems;
  for (const auto& problem : reply.error().problems())
    problems.push_back(json::object{{"what", problem.what}, {"path", problem.place.path}, {"hint", problem.hint}});
  return base::serialize(
      json::object{{"error", static_cast<int>(reply.error().kind())}, {"problems", std::move(problems)}});
}

Result<json::value> parse_reply(std::string_view text) {
  auto value = base::parse_json(text);
  auto& object = value.as_object();
  if (auto* done = object.if_contains("done")) return std::move(*done);
  std::vector<base::Error::Problem> problems;
  for (const auto& problem : object.at("problems").as_array())
    problems.push_back({std::string(problem.at("what").as_string()),
                        {.path = std::string(problem.at("path").as_string())},
                        std::string(problem.at("hint").as_string())});
  return base::Error(static_cast<base::ErrorKind>(object.at("error").to_number<int>()), std::move(problems));
}

void Orders::perform(model::RunId run, Order order, Answer<json::value> answer) {
  const auto& arguments = order.arguments;
  if (order.what == "cancel") return interventions_.cancel(run, order.caller, nothing(std::move(answer)));
  if (order.what == "pause") return interventions_.pause(run, order.caller, nothing(std::move(answer)));
  if (order.what == "resume") return interventions_.resume(run, order.caller, nothing(std::move(answer)));
  if (order.what == "why") return interventions_.why(run, object(std::move(answer)));
  if (order.what == "signal")
    return interventions_.signal(run, text_of(arguments, "name"), text_of(arguments, "payload"), order.caller,
                                 nothing(std::move(answer)));
  if (order.what == "approve")
    return interventions_.approve(
        run, {text_of(arguments, "step"), arguments.at("approved").as_bool(), text_of(arguments, "comment")},
        order.caller, nothing(std::move(answer)));
  if (order.what == "migrate")
    return migrations_.migrate(run, text_of(arguments, "to"), arguments.at("dry").as_bool(), order.caller,
                               object(std::move(answer)));
  if (order.what == "retry") {
    Engine::Retry how;
    how.from = text_of(arguments, "from");
    how.set = json::value_to<std::map<std::string, std::string>>(arguments.at("set"));
    how.skip = json::value_to<std::vector<std::string>>(arguments.at("skip"));
    return interventions_.retry(run, std::move(how), order.caller,
                                [answer = std::move(answer)](const Result<model::RunId>& done) {
                                  done ? answer(json::value(model::number(*done))) : answer(done.error());
                                });
  }
  answer(base::refused("the node that has the run does not know how to '" + order.what + "'"));
}

}  // namespace godwit::engine
