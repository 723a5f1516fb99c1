#include "jobfile/keyword.hpp"

#include <array>

namespace godwit::jobfile {
namespace {

using Holds = Keyword::Holds;
constexpr std::array kKeywords{
    Keyword{"$ref"},
    Keyword{"$comment"},
    Keyword{"$schema"},
    Keyword{"$id"},
    Keyword{"title"},
    Keyword{"description"},
    Keyword{"default"},
    Keyword{"examples"},
    Keyword{"readOnly"},
    Keyword{"writeOnly"},
    Keyword{"type"},
    Keyword{"enum"},
    Keyword{"const"},
    Keyword{"format"},
    Keyword{"multipleOf"},
    Keyword{"minimum"},
    Keyword{"maximum"},
    Keyword{"exclusiveMinimum"},
    Keyword{"exclusiveMaximum"},
    Keyword{"minLength"},
    Keyword{"maxLength"},
    Keyword{"pattern"},
    Keyword{"minItems"},
    Keyword{"maxItems"},
    Keyword{"uniqueItems"},
    Keyword{"minProperties"},
    Keyword{"maxProperties"},
    Keyword{"required"},
    Keyword{"properties", Holds::map},
    Keyword{"definitions", Holds::map},
    Keyword{"dependencies", Holds::map, true},
    Keyword{"additionalProperties", Holds::schema},
    Keyword{"items", Holds::schema},
    Keyword{"additionalItems", Holds::schema},
    Keyword{"contains", Holds::schema, true},
    Keyword{"propertyNames", Holds::schema, true},
    Keyword{"not", Holds::schema, true},
    Keyword{"if", Holds::schema, true},
    Keyword{"then", Holds::schema, true},
    Keyword{"else", Holds::schema, true},
    Keyword{"allOf", Holds::list},
    Keyword{"anyOf", Holds::list, true},
    Keyword{"oneOf", Holds::list, true},
};

}  // namespace

const Keyword* find_keyword(std::string_view name) {
  for (const Keyword& keyword : kKeywords)
    if (keyword.name == name) return &keyword;
  return nullptr;
}

std::vector<std::string> keyword_names() {
  std::vector<std::string> names;
  for (const Keyword& keyword : kKeywords) names.emplace_back(keyword.name);
  return names;
}

}  // namespace godwit::jobfile
