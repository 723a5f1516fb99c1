#include "jobfile/reader.hpp"

#include <cmath>

#include "base/json_text.hpp"
#include "base/suggest.hpp"
#include "expression/text_parts.hpp"

namespace godwit::jobfile {
namespace {

using expression::TextPart;

}  // namespace

void refuse_key(Reader& reader, const YamlNode::Member& member, const std::string& path,
                const std::vector<std::string>& known) {
  reader.problem(reader.place(member, path), "unknown key '" + member.key + "'", base::suggest(member.key, known));
}

void Reader::problem(base::Place place, std::string what, std::string hint) {
  problems_.push_back({std::move(what), std::move(place), std::move(hint)});
}
void Reader::problem(const YamlNode& node, const std::string& path, std::string what, std::string hint) {
  problem(place(node, path), std::move(what), std::move(hint));
}
void Reader::problems_of(const base::Error& error) {
  problems_.insert(problems_.end(), error.problems().begin(), error.problems().end());
}

std::string Reader::text(const YamlNode& node, const std::string& path) {
  if (node.kind == YamlNode::Kind::scalar && !node.is_null()) return node.text;
  problem(node, path, "text is needed here, not " + config::kind_text(node));
  return {};
}

bool Reader::flag(const YamlNode& node, const std::string& path) {
  const json::value value = node.kind == YamlNode::Kind::scalar ? any(node, path) : json::value();
  if (value.is_bool()) return value.get_bool();
  problem(node, path, "true or false is needed here, not " + config::kind_text(node));
  return false;
}

int Reader::count(const YamlNode& node, const std::string& path, int least, int most) {
  const double value = number(node, path, least, most);
  if (std::isnan(value) || value == std::floor(value)) return std::isnan(value) ? least : static_cast<int>(value);
  problem(node, path, "a whole number is needed here, not " + node.text);
  return least;
}

double Reader::number(const YamlNode& node, const std::string& path, double least, double most) {
  const json::value value = node.kind == YamlNode::Kind::scalar ? any(node, path) : json::value();
  if (value.is_number() && value.to_number<double>() >= least && value.to_number<double>() <= most)
    return value.to_number<double>();
  const std::string range = "from " + base::serialize(json::value(static_cast<std::int64_t>(least))) + " to " +
                            base::serialize(json::value(static_cast<std::int64_t>(most)));
  problem(node, path,
          "a number " + range + " is needed here, not " + (value.is_number() ? node.text : config::kind_text(node)));
  return std::nan("");
}

std::optional<base::Duration> Reader::duration(const YamlNode& node, const std::string& path) {
  const auto value = node.kind == YamlNode::Kind::scalar ? base::parse_duration(node.text) : std::nullopt;
  if (value && value->count() > 0) return value;
  const std::string found =
      node.kind == YamlNode::Kind::scalar ? "'" + node.text.substr(0, 40) + "'" : config::kind_text(node);
  problem(node, path, "a duration such as 30s, 1h30m or 3d is needed here, not " + found);
  return std::nullopt;
}

std::vector<std::string> Reader::texts(const YamlNode& node, const std::string& path) {
  if (node.kind == YamlNode::Kind::scalar) return {text(node, path)};
  std::vector<std::string> result;
  if (node.kind != YamlNode::Kind::list) problem(node, path, "a list is needed here, not " + config::kind_text(node));
  for (std::size_t i = 0; i < node.items.size(); ++i) result.push_back(text(node.items[i], base::below(path, i)));
  return result;
}

std::size_t Reader::choice(const YamlNode& node, const std::string& path, std::span<const std::string_view> values) {
  const std::string given = text(node, path);
  const auto found = std::find(values.begin(), values.end(), given);
  if (found != values.end()) return static_cast<std::size_t>(found - values.begin());
  std::string list;
  for (const auto& value : values) list += (list.empty() ? "" : ", ") + std::string(value);
  if (!given.empty())
    problem(node, path, "'" + given + "' is unknown; one of " + list + " is needed here",
            base::suggest(given, {values.begin(), values.end()}));
  return 0;
}

std::map<std::string, model::LimitSpec> Reader::limits(const YamlNode& node, const std::string& path) {
  std::map<std::string, model::LimitSpec> result;
  if (!is_map(node, path, "a map of limits and their permits or rates")) return result;
  for (const auto& member : node.members) {
    const std::string here = base::below(path, member.key);
    if (!model::is_limit_name(member.key))
      problem(place(member, path), "this cannot be the name of a limit",
              "use up to 200 letters, digits and signs, and no space at either end");
    const std::string given = text(member.value, here);
    const auto spec = model::parse_limit(given);
    if (spec && spec->permits > 0)
      result[member.key] = *spec;
    else
      problem(member.value, here, "'" + given + "' is no limit",
              "write permits at once (4) or a rate (10/s, 600/m burst 20)");
  }
  return result;
}

std::map<std::string, int> Reader::permits(const YamlNode& node, const std::string& path) {
  std::map<std::string, int> result;
  if (!is_map(node, path, "a map of limits and their permits")) return result;
  for (const auto& member : node.members)
    result[member.key] = count(member.value, base::below(path, member.key), 1, 1'000'000'000);
  return result;
}

std::optional<model::Expression> Reader::amount(const YamlNode& node, const std::string& path, const Sight& sight,
                                                int& amount) {
  if (node.kind == YamlNode::Kind::scalar && node.text.find("${") != std::string::npos)
    return expression(node, path, sight);
  amount = count(node, path, 1, 1'000'000'000);
  return std::nullopt;
}

std::optional<model::Template> Reader::key(const YamlNode::Member& member, const std::string& path,
                                           const Sight& sight) {
  const auto first = member.key.find("${");
  if (first == std::string::npos) return std::nullopt;
  const auto here = place(member, path);
  if (member.key.find(':') >= first || member.key.find(':') == 0)
    problem(here, "a name with an expression must begin with a plain name and a colon",
            "write it as \"tenant:${ params.tenant }\"; `tenant:*` says how much each of them has");
  model::Template result{json::string(member.key), here, {}};
  for (const auto& part : expression::split_text(member.key)) {
    if (part.kind == TextPart::Kind::literal) continue;
    result.expressions[""].push_back(here);
    if (part.kind == TextPart::Kind::unclosed)
      problem(here, "a ${ has no } that closes it");
    else
      compile({part.text, here}, sight);
  }
  return result;
}

bool Reader::is_map(const YamlNode& node, const std::string& path, std::string_view wanted) {
  if (node.kind == YamlNode::Kind::map) return true;
  problem(node, path, std::string(wanted) + " is needed here, not " + config::kind_text(node));
  return false;
}

void Reader::compile(const model::Expression& expression, const Sight& sight) {
  try {
    const auto compiled = language_.compile(expression);
    for (const auto& reference : compiled->references()) uses_.push_back({reference, expression.place, sight});
  } catch (const expression::SyntaxError& error) {
    problem(locator_.inside(expression.place, expression.source, error.offset()), error.problems()[0].what);
  }
}

std::optional<model::Expression> Reader::expression(const YamlNode& node, const std::string& path, const Sight& sight) {
  const auto parts = node.kind == YamlNode::Kind::scalar ? expression::split_text(node.text) : std::vector<TextPart>();
  if (parts.size() != 1 || parts[0].kind == TextPart::Kind::literal) {
    problem(node, path, "an expression is needed here, not " + config::kind_text(node), "write it as ${ ... }");
    return std::nullopt;
  }
  const auto places = locator_.expressions(node, path);
  model::Expression result{parts[0].text, places.empty() ? place(node, path) : places[0]};
  if (parts[0].kind == TextPart::Kind::unclosed) {
    problem(result.place, "a ${ has no } that closes it");
    return std::nullopt;
  }
  compile(result, sight);
  return result;
}

model::Template Reader::value(const YamlNode& node, const std::string& path, const Sight& sight) {
  model::Template result{any(node, path), place(node, path), {}};
  find_expressions(node, path, {}, sight, result);
  return result;
}

void Reader::find_expressions(const YamlNode& node, const std::string& path, const std::string& inner,
                              const Sight& sight, model::Template& result) {
  for (std::size_t i = 0; i < node.items.size(); ++i)
    find_expressions(node.items[i], base::below(path, i), base::below(inner, i), sight, result);
  for (const auto& member : node.members) {
    if (member.key.find("${") != std::string::npos) problem(place(member, path), "a key cannot be an expression");
    find_expressions(member.value, base::below(path, member.key), base::below(inner, member.key), sight, result);
  }
  if (node.kind != YamlNode::Kind::scalar || node.text.find("${") == std::string::npos) return;
  const auto places = locator_.expressions(node, path);
  std::size_t number = 0;
  for (const auto& part : expression::split_text(node.text)) {
    if (part.kind == TextPart::Kind::literal) continue;
    const base::Place here = number < places.size() ? places[number] : place(node, path);
    ++number;
    result.expressions[inner].push_back(here);
    if (part.kind == TextPart::Kind::unclosed) {
      problem(here, "a ${ has no } that closes it");
    } else {
      compile({part.text, here}, sight);
    }
  }
}

}  // namespace godwit::jobfile
