#include "wire/rpc.hpp"

#include <climits>

#include "base/json_text.hpp"

namespace godwit::wire {
namespace {

namespace json = base::json;

void append_head(const json::value& id, std::string_view member, std::string& out) {
  out += R"({"jsonrpc":"2.0","id":)";
  base::append_json(id, out);
  out += ",\"";
  out += member;
  out += "\":";
}

bool is_id(const json::value& value) { return value.is_string() || value.is_int64() || value.is_uint64(); }

std::string text_of(const json::object& object, std::string_view name) {
  const auto* value = object.if_contains(name);
  return value && value->is_string() ? std::string(value->get_string()) : std::string();
}

int number_of(const json::object& object, std::string_view name) {
  const auto* value = object.if_contains(name);
  const auto* number = value ? value->if_int64() : nullptr;
  return number && *number > 0 && *number <= INT_MAX ? static_cast<int>(*number) : 0;
}

base::Error error_from_json(const json::object& error) {
  base::ErrorKind kind = base::ErrorKind::internal;
  if (const auto* code = error.if_contains("code"); code && code->is_int64()) {
    if (const auto* info = base::find_error_kind_by_rpc_code(static_cast<int>(code->get_int64()))) kind = info->kind;
  }
  if (const auto* data = error.if_contains("data"); data && data->is_object()) {
    const auto* list = data->get_object().if_contains("problems");
    if (list && list->is_array() && !list->get_array().empty()) return {kind, problems_from_json(list->get_array())};
  }
  const std::string message = text_of(error, "message");
  return {kind, message.empty() ? "the daemon gave an error without a message" : message};
}

[[noreturn]] void throw_not_a_reply(std::string_view what) {
  throw base::Error(base::ErrorKind::internal, "the daemon's line is not a JSON-RPC 2.0 message: " + std::string(what));
}

}  // namespace

std::variant<RpcRequest, RpcRefusal> decode_rpc_request(std::string_view line) {
  json::value document;
  try {
    document = base::parse_json(line);
  } catch (const base::Error& error) {
    return RpcRefusal{kRpcParseError, error.problems().front().what, nullptr};
  }
  auto* object = document.if_object();
  if (!object) {
    return RpcRefusal{kRpcInvalidRequest,
                      document.is_array() ? "batches are not supported; send one request per line" : "a request is a JSON object", nullptr};
  }
  const auto* id = object->if_contains("id");
  if (!id || !is_id(*id)) return RpcRefusal{kRpcInvalidRequest, "a request needs an \"id\" that is a string or an integer", nullptr};
  const auto refuse = [&](std::string message) { return RpcRefusal{kRpcInvalidRequest, std::move(message), *id}; };
  const auto* version = object->if_contains("jsonrpc");
  if (!version || *version != "2.0") return refuse("a request says \"jsonrpc\": \"2.0\"");
  const auto* method = object->if_contains("method");
  if (!method || !method->is_string()) return refuse("a request needs a \"method\" that is a string");
  RpcRequest request{*id, std::string(method->get_string()), {}};
  if (auto* params = object->if_contains("params")) {
    if (!params->is_object()) return refuse("\"params\" must be an object: parameters go by name");
    request.params = std::move(params->get_object());
  }
  return request;
}

std::variant<RpcAnswer, RpcEvent> decode_rpc_reply(std::string_view line) {
  json::value document;
  try {
    document = base::parse_json(line);
  } catch (const base::Error& error) {
    throw_not_a_reply(error.what());
  }
  auto* object = document.if_object();
  if (!object) throw_not_a_reply("it is not an object");
  if (const auto* method = object->if_contains("method")) {
    auto* params = object->if_contains("params");
    if (*method != "event" || !params || !params->is_object()) throw_not_a_reply("unknown notification");
    auto& event = params->get_object();
    const auto* number = event.if_contains("subscription");
    boost::system::error_code failed;
    const auto subscription = number ? number->to_number<std::uint64_t>(failed) : 0;
    if (!number || failed) throw_not_a_reply("an event without its subscription");
    event.erase("subscription");
    return RpcEvent{subscription, std::move(event)};
  }
  RpcAnswer answer;
  if (auto* id = object->if_contains("id")) answer.id = std::move(*id);
  if (const auto* error = object->if_contains("error")) {
    if (!error->is_object()) throw_not_a_reply("its error is not an object");
    answer.error = error_from_json(error->get_object());
    return answer;
  }
  auto* result = object->if_contains("result");
  if (!result) throw_not_a_reply("it has neither a result nor an error");
  answer.result = std::move(*result);
  return answer;
}

void encode_rpc_request(const RpcRequest& request, std::string& out) {
  append_head(request.id, "method", out);
  base::append_json(json::value(request.method), out);
  out += ",\"params\":";
  out += base::serialize(request.params);
  out += "}\n";
}

void encode_rpc_result(const json::value& id, const json::value& result, std::string& out) {
  append_head(id, "result", out);
  base::append_json(result, out);
  out += "}\n";
}

void encode_rpc_error(const json::value& id, const base::Error& error, std::string& out) {
  const auto& kind = base::info(error.kind());
  append_head(id, "error", out);
  base::append_json(json::object{{"code", kind.rpc_code},
                      {"message", error.problems().front().text()},
                      {"data", json::object{{"kind", kind.name}, {"problems", problems_to_json(error.problems())}}}},
         out);
  out += "}\n";
}

void encode_rpc_refusal(const RpcRefusal& refusal, std::string& out) {
  append_head(refusal.id, "error", out);
  base::append_json(json::object{{"code", refusal.code}, {"message", refusal.message}}, out);
  out += "}\n";
}

void encode_rpc_event(std::uint64_t subscription, const json::object& event, std::string& out) {
  out += R"({"jsonrpc":"2.0","method":"event","params":{"subscription":)";
  out += std::to_string(subscription);
  const std::string members = base::serialize(event);  // "{...}": its members follow ours
  if (members.size() > 2) out += ',';
  out.append(members, 1);
  out += "}\n";
}

json::array problems_to_json(const std::vector<base::Error::Problem>& problems) {
  json::array list;
  for (const auto& problem : problems) {
    json::object entry{{"what", problem.what}};
    if (!problem.place.file.empty()) entry["file"] = problem.place.file;
    if (problem.place.line > 0) entry["line"] = problem.place.line;
    if (problem.place.column > 0) entry["column"] = problem.place.column;
    if (!problem.place.path.empty()) entry["path"] = problem.place.path;
    if (!problem.hint.empty()) entry["hint"] = problem.hint;
    list.push_back(std::move(entry));
  }
  return list;
}

std::vector<base::Error::Problem> problems_from_json(const json::array& problems) {
  std::vector<base::Error::Problem> list;
  for (const auto& value : problems) {
    const auto* entry = value.if_object();
    if (!entry) continue;
    list.push_back({text_of(*entry, "what"),
                    {text_of(*entry, "file"), number_of(*entry, "line"), number_of(*entry, "column"), text_of(*entry, "path")},
                    text_of(*entry, "hint")});
  }
  if (list.empty()) list.push_back({"the daemon gave an error without a message", {}, {}});
  return list;
}

}  // namespace godwit::wire
