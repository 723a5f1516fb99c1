#include "check/arguments.hpp"

#include <charconv>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>

namespace godwit::check {
namespace {

namespace json = base::json;

base::Error usage(const std::string& what) {
  return base::Error(base::ErrorKind::usage, what, {}, "see `godwit help plugin check`");
}

std::uint64_t number(const std::string& text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size())
    throw usage("--seed is a whole number, not '" + text + "'");
  return value;
}

json::object read_object(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string text((std::istreambuf_iterator<char>(file)), {});
  if (!file) throw base::Error(base::ErrorKind::failed, "cannot be read", {path, 0, 0, {}});
  json::value value = base::parse_json(text, path);
  if (!value.is_object()) throw base::refused("must be a JSON object", {path, 0, 0, {}});
  return std::move(value.get_object());
}

std::string absolute(const std::string& path) {
  return std::filesystem::absolute(path).lexically_normal().string();
}

// A seed that is short enough to be typed again.
std::uint64_t fresh_seed() {
  return std::random_device{}() % 1'000'000;
}

}  // namespace

Arguments read_arguments(const std::vector<std::string>& words) {
  Arguments result;
  bool has_seed = false;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::string& word = words[i];
    if (word == "--in-process") {
      result.in_process = true;
    } else if (word == "--list") {
      result.list = true;
    } else if (word == "--developer") {
      result.options.developer = true;
      result.words.push_back(word);
    } else if (!word.starts_with("--")) {
      if (!result.options.plugin.empty()) throw usage("one plugin at a time");
      result.options.plugin = absolute(word);
    } else if (i + 1 == words.size()) {
      throw usage(word + " needs a value, or is not known");
    } else {
      const std::string& value = words[++i];
      if (word == "--seed") {
        result.options.seed = number(value);
        has_seed = true;
      } else if (word == "--only") {
        result.only.push_back(value);
      } else if (word == "--config") {
        result.options.config = read_object(value);
        result.words.insert(result.words.end(), {word, absolute(value)});
      } else if (word == "--inputs") {
        result.options.inputs = read_object(value);
        result.words.insert(result.words.end(), {word, absolute(value)});
      } else if (word == "--runs-on") {
        result.options.runs_on.push_back(value);
        result.words.insert(result.words.end(), {word, value});
      } else if (word == "--json") {
        result.json = value;
      } else if (word == "--junit") {
        result.junit = value;
      } else if (word == "--child") {
        result.child = value;
      } else {
        throw usage("unknown argument '" + word + "'");
      }
    }
  }
  if (result.options.plugin.empty() && !result.list) throw usage("which plugin? give the path of its .so");
  if (!has_seed) result.options.seed = fresh_seed();
  result.words.insert(result.words.end(), {"--seed", std::to_string(result.options.seed), result.options.plugin});
  return result;
}

}  // namespace godwit::check
