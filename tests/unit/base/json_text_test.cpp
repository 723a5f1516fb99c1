#include "base/json_text.hpp"

#include <catch2/catch.hpp>
#include <cmath>
#include <cstdlib>
#include <random>

namespace base = godwit::base;
namespace json = base::json;

TEST_CASE("numbers are written as people write them and read back as they were") {
  const std::pair<double, std::string> expected[] = {{477.05, "477.05"},
                                                     {2, "2.0"},
                                                     {-0.5, "-0.5"},
                                                     {0, "0.0"},
                                                     {0.1 + 0.2, "0.30000000000000004"},
                                                     {1e-6, "0.000001"},
                                                     {123456789012345, "123456789012345.0"},
                                                     {1e15, "1E15"},
                                                     {1.5e-7, "1.5E-7"},
                                                     {1e300, "1E300"}};
  for (const auto& [number, text] : expected) CHECK(base::serialize(json::value(number)) == text);
  const auto seed = std::random_device{}();
  INFO("seed " << seed);
  std::mt19937_64 random(seed);
  for (int i = 0; i < 20'000; ++i) {
    const double number = std::ldexp(static_cast<double>(static_cast<std::int64_t>(random())), int(random() % 120) - 110);
    const std::string text = base::serialize(json::value(number));
    REQUIRE(base::is_json(text));
    REQUIRE(text.find_first_of(".E") != text.npos);
    REQUIRE(std::strtod(text.c_str(), nullptr) == number);
  }
}

TEST_CASE("what is serialised is read back as the same value") {
  for (const std::string text :
       {"null", "true", "false", "0", "-9223372036854775808", "18446744073709551615", "\"\"", "[]", "{}", "[[],{}]",
        R"([1,[2,3.5],{"a":{"b":null},"c":"x"}])", R"("a \"word\"\\\n\u0001")", "\"caf\xc3\xa9\x7f\"", R"({"a \"b\"":1})"})
    CHECK(base::serialize(base::parse_json(text)) == text);
  CHECK(base::serialize(std::string_view("plain")) == "\"plain\"");
  CHECK(base::serialize(json::object{{"a", 1}, {"b", json::array{2}}}) == R"({"a":1,"b":[2]})");
}

TEST_CASE("a number that is too large is refused, for it could not be written again") {
  for (const std::string& text :
       std::vector<std::string>{"1e999", "-1E400", "[1,{\"a\":1e309}]", "1" + std::string(400, '0')}) {
    INFO(text);
    CHECK_FALSE(base::is_json(text));
    CHECK_THROWS_WITH(base::parse_json(text), Catch::Contains("larger than 1.8e308"));
  }
  for (const std::string& text :
       std::vector<std::string>{"1e308", "1e-400", "\"1e999\"", "[\"2e999\",0]", "1" + std::string(300, '0')}) {
    INFO(text);
    CHECK(base::is_json(text));
    CHECK_NOTHROW(base::parse_json(text));
  }
}
