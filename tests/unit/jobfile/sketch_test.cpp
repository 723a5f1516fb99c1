// Goal: arguments that hold expressions are checked as far as they are known, and never refused for what they may yet
// become. Method: one schema, many inputs.
#include <catch2/catch.hpp>

#include "jobfile/schema.hpp"

using namespace godwit;
namespace json = base::json;

namespace {

const char* const kSchema = R"({
  "type": "object", "additionalProperties": false, "required": ["url"],
  "definitions": {"method": {"enum": ["GET", "POST"]}},
  "properties": {
    "url": {"type": "string", "format": "uri"},
    "method": {"$ref": "#/definitions/method"},
    "headers": {"type": "object", "additionalProperties": {"type": "string"}},
    "tags": {"type": "array", "items": {"type": "integer"}},
    "body": {"oneOf": [{"type": "string"}, {"type": "object", "required": ["kind"], "properties": {"kind": {"const": "a"}}}]}
  }})";

// What is wrong with an input, in which the texts that begin with $ are expressions.
std::string wrong(const std::string& input) {
  model::Template sketch{base::parse_json(input), {}, {}};
  const std::function<void(const json::value&, const std::string&)> find = [&](const json::value& value,
                                                                               const std::string& path) {
    if (value.is_string() && value.get_string().starts_with("$")) sketch.expressions[path] = {{}};
    if (value.is_object())
      for (const auto& [key, member] : value.get_object()) find(member, base::below(path, key));
    if (value.is_array())
      for (std::size_t i = 0; i < value.get_array().size(); ++i) find(value.get_array()[i], base::below(path, i));
  };
  find(sketch.value, {});
  try {
    jobfile::InputSchema(base::parse_json(kSchema).as_object(), "http.request").check(sketch);
  } catch (const base::Error& error) {
    return error.what();
  }
  return {};
}

}  // namespace

TEST_CASE("what is known of an input is held against the schema") {
  CHECK(wrong(R"({"url": "$x", "method": "GET", "tags": [1, "$y"], "headers": {"a": "$z"}, "body": {"kind": "$k"}})") ==
        "");
  CHECK(wrong(R"({"url": "$x", "urll": "$y"})") == "urll: unknown name 'urll'; did you mean 'url'?");
  CHECK(wrong(R"({"method": "$m"})") == "url: is missing");
  CHECK(wrong(R"({"url": "$x", "method": "FETCH"})") == "method: must be one of [\"GET\",\"POST\"]");
  CHECK(wrong(R"({"url": 7, "method": "$m"})") == "url: must be text, not the number 7; write it in quotes: \"7\"");
  CHECK(wrong(R"({"url": "nowhere", "method": "$m"})") == "url: \"nowhere\" is not a valid uri");
  CHECK(wrong(R"({"url": "$x", "tags": [1, "two", "$y"]})") == "tags[1]: must be a whole number, not text");
  CHECK(wrong(R"({"url": "$x", "headers": ["$y"]})") == "headers: must be an object, not a list");
  CHECK(wrong(R"({"url": "$x", "headers": {"a": 1}})") ==
        "headers.a: must be text, not the number 1; write it in quotes: \"1\"");
  CHECK(wrong(R"({"url": 7, "tags": ["$x", "two"]})") ==
        "url: must be text, not the number 7; write it in quotes: \"7\"\ntags[1]: must be a whole number, not text");
}

TEST_CASE("names of which one is needed are counted, whatever their values will be") {
  const auto told = [](json::object input) {
    model::Template sketch{input, {}, {}};
    for (const auto& member : input) sketch.expressions[std::string(member.key())] = {{}};
    const char* const schema = R"({"oneOf": [{"required": ["argv"]}, {"required": ["script"]}]})";
    try {
      jobfile::InputSchema(base::parse_json(schema).as_object()).check(sketch);
      return std::string();
    } catch (const base::Error& error) {
      return std::string(error.what());
    }
  };
  CHECK(told({{"argv", "$a"}}) == "");
  CHECK(told({{"argv", "$a"}, {"script", "$b"}}) == "give only one of: argv, script");
  CHECK(told({{"cwd", "$a"}}) == "give one of: argv, script");
}

TEST_CASE("an input that is one expression, or is all known, is what it is") {
  CHECK(wrong(R"("$all")") == "");
  CHECK(wrong(R"({"url": "https://a.example/"})") == "");
  CHECK(wrong(R"({})") == "url: is missing");
}
