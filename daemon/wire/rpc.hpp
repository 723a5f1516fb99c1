#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "base/error.hpp"
#include "base/json.hpp"

// Messages of the control socket: JSON-RPC 2.0, one compact JSON document per line, ended by '\n'. A length prefix was not chosen because lines
// can be read and written by hand (socat, a script) and JSON never contains a raw line feed.
namespace godwit::wire {

// No line of either side is longer, the line feed not counted. Bulk submits are split by the client.
inline constexpr std::size_t kRpcLineMax = 8u << 20;

// The codes JSON-RPC 2.0 itself defines; those of our own errors are in base/error.cpp.
inline constexpr int kRpcParseError = -32700;
inline constexpr int kRpcInvalidRequest = -32600;
inline constexpr int kRpcMethodNotFound = -32601;

struct RpcRequest {
  base::json::value id;  // text or an integer; requests without one are refused, since nobody would learn how they ended
  std::string method;
  base::json::object params;
};
// A line that is no request: the answer it gets.
struct RpcRefusal {
  int code = kRpcInvalidRequest;
  std::string message;
  base::json::value id;  // null when the line did not say
};
std::variant<RpcRequest, RpcRefusal> decode_rpc_request(std::string_view line);

// What the daemon sends: an answer to a request, or an event of a subscription.
struct RpcAnswer {
  base::json::value id;
  base::json::value result;
  std::optional<base::Error> error;  // set when the request failed; `result` is null then
};
struct RpcEvent {
  std::uint64_t subscription = 0;
  base::json::object event;  // without the member "subscription"
};
// Throws Error(internal) when the line is neither.
std::variant<RpcAnswer, RpcEvent> decode_rpc_reply(std::string_view line);

// The encoders append one whole line with its line feed to `out`.
void encode_rpc_request(const RpcRequest& request, std::string& out);
void encode_rpc_result(const base::json::value& id, const base::json::value& result, std::string& out);
void encode_rpc_error(const base::json::value& id, const base::Error& error, std::string& out);
void encode_rpc_refusal(const RpcRefusal& refusal, std::string& out);
void encode_rpc_event(std::uint64_t subscription, const base::json::object& event, std::string& out);

// [{"what","file","line","column","path","hint"}], members that say nothing left out; and back.
base::json::array problems_to_json(const std::vector<base::Error::Problem>& problems);
std::vector<base::Error::Problem> problems_from_json(const base::json::array& problems);

}  // namespace godwit::wire
