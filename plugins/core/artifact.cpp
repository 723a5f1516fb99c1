#include <nettle/base64.h>

#include "args.hpp"

namespace core {
namespace {

constexpr double kBytesMax = 16.0 * 1024 * 1024;
constexpr double kBytesDefault = 4.0 * 1024 * 1024;

std::string to_base64(std::string_view bytes) {
  std::string text(BASE64_ENCODE_RAW_LENGTH(bytes.size()), '\0');
  base64_encode_raw(text.data(), bytes.size(), reinterpret_cast<const std::uint8_t*>(bytes.data()));
  return text;
}

std::string from_base64(const std::string& text) {
  base64_decode_ctx context{};
  base64_decode_init(&context);
  std::string bytes(BASE64_DECODE_LENGTH(text.size()), '\0');
  std::size_t size = bytes.size();
  const int good =
      base64_decode_update(&context, &size, reinterpret_cast<std::uint8_t*>(bytes.data()), text.size(), text.data());
  if (!good || !base64_decode_final(&context)) refuse("base64", "is no base64");
  bytes.resize(size);
  return bytes;
}

// The content that the arguments give, in one of three ways.
std::string content(const json::object& args) {
  const auto given = args.contains("text") + args.contains("base64") + args.contains("json");
  if (given != 1) refuse("artifact.put", "needs one of text, base64 and json");
  if (args.contains("text")) return text(args, "text");
  if (args.contains("base64")) return from_base64(text(args, "base64"));
  return json::serialize(args.at("json"));
}

// "sha256:...", or what artifact.put gave.
std::string artifact_name(const json::object& args) {
  const json::value* given = args.if_contains("artifact");
  if (given && given->is_object()) given = given->get_object().if_contains("artifact");
  if (!given || !given->is_string()) refuse("artifact", "must be a name, sha256:..., or what artifact.put gave");
  return std::string(given->get_string());
}

}  // namespace

class ArtifactPut {
 public:
  explicit ArtifactPut(const json::object&) {}

  json::value run(godwit::Call& call, const json::object& args) {
    const std::string bytes = content(args);
    if (static_cast<double>(bytes.size()) > kBytesMax) refuse("artifact.put", "takes 16 MiB at most");
    std::string media_type = text(args, "media_type");
    if (media_type.empty())
      media_type = args.contains("json")   ? "application/json"
                   : args.contains("text") ? "text/plain"
                                           : "application/octet-stream";
    return call.store_artifact(text(args, "name"), bytes, media_type);
  }
};
GODWIT_STAGE(ArtifactPut, "artifact.put")

class ArtifactGet {
 public:
  explicit ArtifactGet(const json::object&) {}

  json::value run(godwit::Call& call, const json::object& args) {
    const std::string name = artifact_name(args);
    const double most = number(args, "max_bytes", 1, kBytesMax, kBytesDefault);
    std::string bytes = call.read_artifact(name);
    if (static_cast<double>(bytes.size()) > most)
      godwit::fail("too_big", "the artifact has " + std::to_string(bytes.size()) + " bytes; max_bytes allows " +
                                  std::to_string(static_cast<std::int64_t>(most)));
    const std::string as = text(args, "as", "auto");
    const bool is_text = as_utf8(bytes) == bytes;
    if (as == "base64" || (as == "auto" && !is_text)) return {{"size", bytes.size()}, {"base64", to_base64(bytes)}};
    if (!is_text) godwit::fail("not_text", "the artifact is not UTF-8; `as: base64` gives its bytes");
    if (as == "json") {
      boost::system::error_code error;
      auto value = json::parse(bytes, error);
      if (error) godwit::fail("not_json", "the artifact is no JSON: " + error.message());
      return {{"size", bytes.size()}, {"json", std::move(value)}};
    }
    if (as != "auto" && as != "text") refuse("as", "must be auto, text, json or base64");
    return {{"size", bytes.size()}, {"text", std::move(bytes)}};
  }
};
GODWIT_STAGE(ArtifactGet, "artifact.get")

}  // namespace core
