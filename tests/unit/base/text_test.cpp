#include <catch2/catch.hpp>

#include "base/base64.hpp"
#include "base/digest.hpp"
#include "base/error.hpp"
#include "base/json.hpp"
#include "base/suggest.hpp"

using namespace godwit::base;

TEST_CASE("an error says where, what and what to do") {
  const Error error(ErrorKind::refused, "unknown key 'retires'", {"a.yaml", 3, 5, "stages.s"}, "did you mean 'retry'?");
  CHECK(std::string(error.what()) == "a.yaml:3:5 (stages.s): unknown key 'retires'; did you mean 'retry'?");
  CHECK(info(error.kind()).exit_code == 6);
}

TEST_CASE("an error with several problems says each on its line") {
  const Error error(ErrorKind::refused, {{"one", {"f", 1, 0, {}}, {}}, {"two", {"f", 2, 0, {}}, {}}});
  CHECK(std::string(error.what()) == "f:1: one\nf:2: two");
}

TEST_CASE("an error that quotes half a character is text all the same") {
  const std::string cut = "caf\xc3";
  const Error error(ErrorKind::refused, "'" + cut + "' is no name", {cut, 1, 1, cut}, "not " + cut);
  const std::string repaired = "caf\xEF\xBF\xBD";
  CHECK(std::string(error.what()) == repaired + ":1:1 (" + repaired + "): '" + repaired + "' is no name; not " + repaired);
  CHECK(error.problems().front().what == "'" + repaired + "' is no name");
}

TEST_CASE("kinds of errors travel over the socket and back") {
  for (const auto kind :
       {ErrorKind::failed, ErrorKind::not_found, ErrorKind::unavailable, ErrorKind::denied, ErrorKind::refused}) {
    REQUIRE(find_error_kind_by_rpc_code(info(kind).rpc_code));
    CHECK(find_error_kind_by_rpc_code(info(kind).rpc_code)->kind == kind);
  }
}

TEST_CASE("near words are suggested and far ones are not") {
  CHECK(suggest("foreech", {"foreach", "when"}) == "did you mean 'foreach'?");
  CHECK(suggest("xyzzy", {"foreach", "when"}).empty());
  CHECK(suggest("tow", {"one", "two"}) == "did you mean 'two'?");
  CHECK(suggest("gon", {"fail", "go_on"}) == "did you mean 'go_on'?");
  for (const char* word : {"sum", "get", "fun"}) CHECK(suggest(word, {"all", "now", "log", "each"}).empty());
  CHECK(suggest("cat", {"call", "map", "wait"}).empty());
  CHECK(suggest("name", {"time", "job", "same"}) == "did you mean 'same'?");
  CHECK(suggest(std::string(1000, 'x'), {"foreach"}).empty());
}

TEST_CASE("JSON that is broken is refused with line and column") {
  CHECK_THROWS_WITH(parse_json("{\n  \"a\": nope}", "p.json"), Catch::Contains("p.json:2:"));
  CHECK_THROWS_AS(parse_json(""), Error);
  CHECK_THROWS_AS(parse_json("1 2"), Error);
  CHECK_THROWS_AS(parse_json(std::string(100, '[') + std::string(100, ']')), Error);
  CHECK(parse_json(" [1, 2.5, null] \n").as_array().size() == 3);
}

TEST_CASE("is_json agrees with the parser on every cut of a document") {
  const std::string text = R"({"a":[1,2.5e3,true,null,"x\u00e9y"],"b":{"c":""}})";
  CHECK(is_json(text));
  for (std::size_t i = 0; i < text.size(); ++i) {
    INFO(text.substr(0, i));
    CHECK_FALSE(is_json(text.substr(0, i)));
  }
  CHECK_FALSE(is_json("\"\xff\""));
  std::string why;
  CHECK_FALSE(is_json("{\"a\":}", &why));
  CHECK_FALSE(why.empty());
}

TEST_CASE("canonical text does not depend on the order of members") {
  CHECK(canonical(parse_json(R"({"b":1,"a":{"d":2,"c":[{"y":1,"x":2}]}})")) ==
        R"({"a":{"c":[{"x":2,"y":1}],"d":2},"b":1})");
}

TEST_CASE("SHA-256 is the published one") {
  CHECK(sha256_hex("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(sha256_prefix("a") != sha256_prefix("b"));
}

TEST_CASE("base64 agrees with the vectors of RFC 4648 and refuses what is none") {
  const std::vector<std::pair<std::string, std::string>> vectors = {
      {"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"}, {"foob", "Zm9vYg=="}, {"fooba", "Zm9vYmE="}};
  for (const auto& [bytes, text] : vectors) {
    CHECK(base64(bytes) == text);
    CHECK(from_base64(text) == bytes);
  }
  for (const char* bad : {"Zg=", "Zg", "Z===", "Zm9v\n", "Zm 9", "Zm9*", "=Zg="}) {
    CAPTURE(bad);
    CHECK_FALSE(from_base64(bad));
  }
}

TEST_CASE("SHA-256 agrees with the examples of FIPS 180-4, whole and in parts") {
  const std::string abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
  CHECK(sha256_hex("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(sha256_hex("abc") == abc);
  Sha256 digest;
  digest.add("a");
  digest.add("bc");
  CHECK(digest.take_hex() == abc);
  CHECK(digest.take_hex() == sha256_hex(""));
}
