#include "check/checks.hpp"
#include "base/json_text.hpp"
#include "check/value_maker.hpp"
#include "wire/contract.hpp"

namespace godwit::check {
namespace {

namespace json = base::json;

constexpr int kCalls = 20;

// A part of a contract as a schema of its own.
json::object schema_of(const json::object& contract, const json::object& method, const char* part) {
  json::object schema;
  const json::value* own = method.if_contains(part);
  if (own && own->is_object()) schema = own->get_object();
  if (const json::value* definitions = contract.if_contains("definitions")) schema["definitions"] = *definitions;
  return schema;
}

void check_call(Session& session, const Target& target, const Instance& instance, const json::object& method,
                const jobfile::Schema& result, const std::string& input) {
  session.doing("calling " + target.name() + " with " + input.substr(0, 500));
  const Ran ran = instance.run(target.method, input);
  session.complaints(target.name(), ran);
  if (ran.status == GW_OK) {
    const auto problems = result.violations(base::parse_json(ran.output.value_or("null")));
    if (!problems.empty())
      session.error(target.name() + ": the result does not fit the contract: " + problems.front().text());
    return;
  }
  const json::value* errors = method.if_contains("errors");
  if (!errors || ran.status == GW_CANCELLED) return;
  const json::value* known = errors->as_object().if_contains(ran.code);
  if (!known) {
    session.warning(target.name() + " fails with the code \"" + ran.code + "\", which the contract does not name (" +
                    ran.failure.substr(0, 200) + ")");
  } else if (known->at("retryable").as_bool() != (ran.status == GW_RETRY)) {
    session.error(target.name() + " fails with \"" + ran.code + "\" as " +
                  (ran.status == GW_RETRY ? "retryable" : "final") + ", the contract says the opposite");
  }
}

void check_method(Session& session, const Target& target, const json::object& contract, const json::object& method) {
  const json::object args = schema_of(contract, method, "args");
  const jobfile::Schema fits(args, target.name()), result(schema_of(contract, method, "result"), target.name());
  const jobfile::Schema own(target.info->args, target.name());
  ValueMaker maker(args, session.random());
  const auto instance = session.open(target);
  for (int i = 0; i < kCalls && session.time_left(); ++i) {
    const json::value input = maker.make();
    if (!fits.violations(input).empty()) continue;
    const auto refused = own.violations(input);
    if (!refused.empty()) {
      session.error(target.name() + ": its own schema refuses an input of the contract: " + refused.front().text() +
                    " in " + base::serialize(input).substr(0, 300));
      return;
    }
    check_call(session, target, *instance, method, result, base::serialize(input));
  }
}

}  // namespace

void check_contract_answers(Session& session) {
  session.limit_time(std::chrono::seconds(30));
  bool any = false;
  for (const auto& target : session.targets())
    for (const auto& name : target.unit->implements) {
      const json::object* contract = wire::find_contract(name);
      const json::value* method = contract ? contract->at("methods").as_object().if_contains(target.method) : nullptr;
      if (!method) continue;
      any = true;
      check_method(session, target, *contract, method->as_object());
    }
  if (!any) session.skip("it claims no contract that is known here");
}

}  // namespace godwit::check
