#include <catch2/catch.hpp>

#include "base/terminal.hpp"
#include "cli/table.hpp"
#include "cli/text.hpp"

using namespace godwit;
using namespace godwit::cli;
namespace json = base::json;

TEST_CASE("Nothing in data can steer the terminal") {
  CHECK(base::printable("a\x1b[31mb") == "a\\x1b[31mb");
  CHECK(base::printable("a\nb\tc\r\a\x7f") == "a\\nb\\tc\\x0d\\x07\\x7f");
  CHECK(base::printable("a\nb\tc\r", true) == "a\nb\tc\\x0d");
  CHECK(base::printable("csi \xc2\x9b" "31m") == "csi \\u009b31m");
  CHECK(base::printable("turned \xe2\x80\xae") == "turned \\u202e");
  CHECK(base::printable("\xff\xc3(") == "\\xff\\xc3(");
  CHECK(base::printable("Zürich 東京 ✈") == "Zürich 東京 ✈");
}

TEST_CASE("Width is what a terminal shows, not bytes") {
  CHECK(base::display_width("Zürich") == 6);
  CHECK(base::display_width("東京") == 4);
  CHECK(base::display_width("e\xcc\x81") == 1);
  CHECK(base::fit("abcdef", 6) == "abcdef");
  CHECK(base::fit("abcdef", 4) == "abc…");
  CHECK(base::fit("東京都", 4) == "東…");
  CHECK(base::fit("abc", 0).empty());
}

TEST_CASE("A table's columns stand under their headings whatever is in them") {
  Table table({{"RUN", Table::Align::right}, {"JOB"}, {"ERROR"}});
  table.add({"7", "東京", ""});
  table.add({"12345", "flock", "bad\x1b[2J\nthing"});
  table.add({"1"});
  CHECK(table.text() ==
        "  RUN  JOB    ERROR\n"
        "    7  東京\n"
        "12345  flock  bad\\x1b[2J\\nthing\n"
        "    1\n");
  CHECK(table.text(24) ==
        "  RUN  JOB    ERROR\n"
        "    7  東京\n"
        "12345  flock  bad\\x1b[2…\n"
        "    1\n");
}

TEST_CASE("A list of objects becomes a table of all their members") {
  const json::array list{json::object{{"name", "api"}, {"used", 3}}, json::object{{"name", "db"}, {"waiting", nullptr}}};
  CHECK(table_of(list, 0) == "NAME  USED  WAITING\napi      3\ndb\n");
  CHECK(table_of({}, 0).empty());
}

TEST_CASE("JSON is printed over several lines where it is long, in the order it has") {
  CHECK(pretty(json::object{{"z", 1}, {"a", json::array{1, 2}}}) == "{\"z\":1,\"a\":[1,2]}\n");
  const std::string text(95, 'x');
  CHECK(pretty(json::object{{"z", json::string(text)}, {"a", json::array{1, 2}}}) == "{\n  \"z\": \"" + text + "\",\n  \"a\": [1,2]\n}\n");
  CHECK(pretty("csi \xc2\x9b") == "\"csi \\u009b\"\n");
}

TEST_CASE("An outline shows what is inside objects") {
  CHECK(outline({{"state", "up"}, {"pool", {{"open", 3}, {"names", json::array{"a", "b"}}}}, {"rows", json::array{json::object{{"n", 1}}}}}) ==
        "state: up\npool:\n  open: 3\n  names: a, b\nrows:\n  N\n  1\n");
}

TEST_CASE("What is missing or of another type is shown as nothing") {
  const json::object object{{"a", nullptr}, {"b", 7}, {"c", "text"}, {"d", json::array{1}}};
  CHECK(text_of(object, "a").empty());
  CHECK(text_of(object, "x").empty());
  CHECK(text_of(object, "b") == "7");
  CHECK(text_of(object, "d") == "1");
  CHECK(number_of(object, "c") == 0);
  CHECK_FALSE(object_of(object, "d"));
  CHECK(time_between(object, "c", "a").empty());
  CHECK(time_between({{"from", "2026-11-22T10:00:00.000Z"}, {"to", "2026-11-22T12:05:09.000Z"}}, "from", "to") == "2:05:09");
  CHECK(time_between({{"from", "2026-11-22T10:00:00.000Z"}, {"to", "2026-11-22T10:00:01.250Z"}}, "from", "to") == "1s250ms");
}

TEST_CASE("A line of the log says what step it is of, how bad it is, and what belongs to it") {
  const auto line = [](json::object given) {
    given["at"] = "2026-05-01T08:00:00Z";
    const std::string text = cli::log_line(given);
    return text.substr(std::string("2026-05-01 08:00:00 ").size());
  };
  CHECK(line({{"level", "info"}, {"path", ""}, {"text", "begins"}, {"fields", nullptr}}) == "begins\n");
  CHECK(line({{"level", "warning"}, {"path", ""}, {"text", "slow"}, {"fields", json::object{{"n", 4}, {"of", "a b"}}}}) ==
        "warning: slow n=4 of=a b\n");
  CHECK(line({{"level", "info"}, {"path", "s[1]"}, {"text", "hi"}}) == "s[1]: hi\n");
  CHECK(line({{"level", "error"}, {"path", "s"}, {"text", "bad"}}) == "error s: bad\n");
}
