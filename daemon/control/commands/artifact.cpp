#include "control/commands/all.hpp"

namespace godwit::control::commands {
namespace {

namespace json = base::json;

constexpr std::int64_t kRowsMax = 10'000;
constexpr std::size_t kPiece = 1u << 20;

}  // namespace

Command artifact_list(Services& services) {
  return {"artifact.list",
          Role::viewer,
          "Lists the files that steps have made and outputs of more than 256 KiB, newest first.",
          {{"run", ParameterType::run, false, "only those of this run"},
           {"limit", ParameterType::count, false, "how many at most (100)"}},
          [&services](Call call) {
            require_store(services);
            services.history.list_artifacts(
                call.arguments.find_run("run"),
                static_cast<std::size_t>(std::min(call.arguments.count("limit", 100), kRowsMax)),
                call.reply.when<json::array>([reply = call.reply](const json::array& rows) { reply.result(rows); }));
          }};
}

Command artifact_read(Services& services) {
  return {
      "artifact.read",
      Role::viewer,
      "Gives up to 1 MiB of one: {\"size\": of the whole, \"base64\"}.",
      {{"artifact", ParameterType::text, true, "its name, as sha256:..."},
       {"offset", ParameterType::count, false, "where to begin, in bytes"}},
      [&services](Call call) {
        const std::string name = call.arguments.text("artifact");
        const auto offset = static_cast<std::uint64_t>(call.arguments.count("offset"));
        if (auto piece = services.read_artifact(name, offset)) return call.reply.result(std::move(*piece));
        require_store(services);
        services.history.read_artifact(
            name.substr(name.find(':') + 1), offset, kPiece,
            call.reply.when<json::object>([reply = call.reply](const json::object& piece) { reply.result(piece); }));
      }};
}

}  // namespace godwit::control::commands
