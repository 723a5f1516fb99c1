// Asks for what extensions give, as its input says.
#include <godwit/sdk.hpp>

namespace json = godwit::json;

class Reach {
 public:
  json::value run(godwit::Call& call, const json::object& input) {
    const std::string what(input.at("do").as_string());
    if (what == "http") return http(call, input);
    if (what == "secret") return json::value(json::string(call.secret(std::string_view(input.at("name").as_string()))));
    if (what == "store") return store(call, input);
    if (what == "read")
      return json::value(json::string(call.read_artifact(std::string_view(input.at("artifact").as_string()))));
    if (what == "cost") {
      call.cost(std::string_view(input.at("limit").as_string()), input.at("tokens").as_int64());
      call.quota(input.at("remaining").as_int64(), std::chrono::milliseconds(input.at("reset_ms").as_int64()));
      return true;
    }
    return json::value(call.host()->extension(input.at("id").as_string().c_str()) != nullptr);
  }

 private:
  static json::value http(godwit::Call& call, const json::object& input) {
    godwit::HttpRequest request;
    request.url = std::string(input.at("url").as_string());
    if (input.contains("body")) request.body = std::string(input.at("body").as_string());
    if (input.contains("headers")) request.headers = input.at("headers").as_object();
    if (input.contains("max_body")) request.max_body = input.at("max_body").to_number<std::size_t>();
    request.follow_redirects = input.contains("follow");
    const godwit::HttpAnswer answer = call.http(request);
    if (input.contains("expect_success")) answer.expect_success();
    return {{"status", answer.status}, {"body", answer.body}, {"type", answer.header("content-type")}};
  }

  // Writes on after the commit through a descriptor it kept, which must change nothing.
  static json::value store(godwit::Call& call, const json::object& input) {
    godwit::ArtifactFile file = call.create_artifact(std::string_view(input.at("name").as_string()), "text/plain");
    file.write(std::string_view(input.at("text").as_string()));
    const int kept = ::dup(file.fd());
    json::object reference = file.commit();
    [[maybe_unused]] const ssize_t written = ::pwrite(kept, "changed", 7, 0);
    ::close(kept);
    return reference;
  }
};
GODWIT_STAGE(Reach, "reach")
GODWIT_PLUGIN(&gw_unit_Reach)
