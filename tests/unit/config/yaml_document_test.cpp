#include <catch2/catch.hpp>

#include "base/time.hpp"
#include "config/yaml_document.hpp"

using namespace godwit;
using config::YamlDocument;
namespace json = base::json;

namespace {

// The document as JSON, or what it is refused with.
std::string read(const std::string& text) {
  try {
    const YamlDocument document(text, "f.yaml");
    config::Problems problems;
    const json::value value = document.to_json(document.root(), {}, problems);
    return problems.empty() ? base::canonical(value) : base::Error(base::ErrorKind::refused, problems).what();
  } catch (const base::Error& error) {
    return error.what();
  }
}

std::string repeated(const std::string& text, std::size_t bytes) {
  std::string result;
  while (result.size() + text.size() <= bytes) result += text;
  return result;
}

}  // namespace

TEST_CASE("plain scalars are what YAML 1.2 says, and nothing else") {
  CHECK(
      read("[no, yes, on, off, y, n, True, false, ~, null, '', 12:30, 2026-05-01, 1_000, +5, 0x1F, 0o17, 1.5, .5, "
           "-0.5e2, '7', \"true\"]") ==
      R"(["no","yes","on","off","y","n",true,false,null,null,"","12:30","2026-05-01","1_000",5,31,15,1.5E0,5E-1,-5E1,"7","true"])");
  CHECK(read("a: 9223372036854775807\nb: 18446744073709551615") ==
        R"({"a":9223372036854775807,"b":18446744073709551615})");
  CHECK(read("a: 18446744073709551616") ==
        "f.yaml:1:4 (a): the integer 18446744073709551616 does not fit 64 bits; quote it if it shall be text");
  CHECK(read("a: {b: [.nan]}") ==
        "f.yaml:1:9 (a.b[0]): .nan is not a number that JSON has; quote it if it shall be text");
  CHECK(read("a: 0123").find("f.yaml:1:4 (a): 0123 can be read as octal") == 0);
  CHECK(read("a: 1e999").find("does not fit a double") != std::string::npos);
}

TEST_CASE("nodes know where they were written") {
  const YamlDocument document("a:\n  - b\n  - {c: d}\n", "f.yaml");
  const auto& list = *document.root().find("a");
  CHECK(list.items[0].line == 2);
  CHECK(list.items[0].column == 5);
  CHECK(list.items[1].members[0].value.column == 9);
}

TEST_CASE("aliases repeat what their anchor names") {
  CHECK(read("a: &x {k: [1]}\nb: *x\nc: &y text\nd: *y") == R"({"a":{"k":[1]},"b":{"k":[1]},"c":"text","d":"text"})");
  CHECK(read("a: &x [*x]") == "f.yaml:1:8: an alias stands inside of what it names");
  CHECK(read("a: *x").find("f.yaml:1:4: not YAML: the referenced anchor is not defined") == 0);
}

TEST_CASE("what is ambiguous or broken is refused at its line and column") {
  const auto [text, expected] = GENERATE(table<std::string, std::string>({
      {"a: 1\nb: 2\na: 3", "f.yaml:3:1: the key 'a' stands here a second time, first in line 1"},
      {"<<: {a: 1}", "f.yaml:1:1: merge keys (<<) are not supported"},
      {"a: 1\n---\nb: 2", "f.yaml:2:1: the document has ended before this"},
      {"a: !!python/object x", "f.yaml:1:4: the tag"},
      {"? [a]\n: b", "f.yaml:1:3: a key must be text"},
      {": b", "f.yaml:1:1: a key is missing"},
      {"a:\n\tb: 1", "f.yaml:2:1: a tab is used for indentation; use spaces"},
      {"a: [1, 2", "f.yaml:1:"},
      {"a: 'x", "f.yaml:1:"},
      {"a: \"x\nb: c\n", "f.yaml:1:4: not YAML: the quote that opens here is never closed"},
      {"a: 'it''s\n", "f.yaml:1:4: not YAML: the quote that opens here is never closed"},
      {"a: b: c", "f.yaml:1:5: not YAML"},
      {"a: \xC3\x28", "f.yaml:1:4: this is not UTF-8"},
      {"\xC3\xA9: \xED\xA0\x80", "f.yaml:1:4: this is not UTF-8"},
      {std::string("a: b\0c", 6), "f.yaml:1:5: the control character U+0000"},
      {"a: \"\\0\"", "f.yaml:1:4: the character U+0000 cannot be part of a text"},
      {"\xFF\xFE"
       "a",
       "f.yaml:1:1: the file is UTF-16"},
      {"", "f.yaml:1:1: the file is empty"},
      {"# nothing\n", "f.yaml:1:1: the file is empty"},
  }));
  CAPTURE(text);
  CAPTURE(read(text));
  CHECK(read(text).find(expected) == 0);
}

TEST_CASE("a byte order mark is passed over and tabs may stand inside of texts") {
  CHECK(read("\xEF\xBB\xBF"
             "a: 1") == R"({"a":1})");
  CHECK(read("a: |\n  x\n  \ty\n") == R"({"a":"x\n\ty\n"})");
}

TEST_CASE("documents that would grow without bound are refused quickly") {
  std::string bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 12; ++i) {
    const std::string alias = "*a" + std::to_string(i - 1);
    bomb += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [" +
            repeated(alias + ", ", 9 * (alias.size() + 2)) + "]\n";
  }
  const auto start = base::thread_cpu_time();
  CHECK(read(bomb).find("aliases count as often as they stand") != std::string::npos);
  const auto took = std::chrono::duration_cast<std::chrono::microseconds>(base::thread_cpu_time() - start);
  WARN("an alias bomb was refused in " << took.count() << " us");
  CHECK(took < std::chrono::seconds(5));  // written out it has 9^12 values
  CHECK(read("a: &a \"" + std::string(500'000, 'x') + "\"\nb: [" + repeated("*a, ", 4000) + "]")
            .find("once its aliases are written out") != std::string::npos);
  CHECK(read(std::string(YamlDocument::kBytesMax + 1, ' ')).find("at most 1048576 bytes are read") !=
        std::string::npos);
  CHECK(read(repeated("- ", 1000) + "x").find("nested deeper than 64 levels") != std::string::npos);
}

TEST_CASE("hostile text of the largest size is answered in a moment") {
  const std::string unit = GENERATE("[", "{", "- ", "? ", "&a ", "*a ", "!", "\"", "'", ":", ": ", "a: ", "[a, ", "#\n",
                                    "---\n", "{\"a\":", "|", "> ", "\n", "- a\n", "%", "a,", "? a\n");
  CAPTURE(unit);
  const auto start = base::thread_cpu_time();
  CHECK_FALSE(read(repeated(unit, YamlDocument::kBytesMax)).empty());
  CHECK(base::thread_cpu_time() - start < std::chrono::seconds(10));
}
