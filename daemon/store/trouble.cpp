#include "store/trouble.hpp"

#include <algorithm>
#include <pqxx/pqxx>

namespace godwit::store {
namespace {

struct StateRule {
  std::string_view prefix;  // of SQLSTATE
  Trouble trouble;
};
// The first match counts.
constexpr StateRule kRules[] = {
    {"08", Trouble::lost},
    {"57P", Trouble::lost},
    {"25006", Trouble::lost},  // a server that became a replica:
                               // look for the new primary
    {"23505", Trouble::taken},
    {"23502", Trouble::taken},  // how a run says that it is another node's: see tables.cpp
    {"40", Trouble::later},
    {"53", Trouble::later},
    {"55P03", Trouble::locked},
    {"55", Trouble::later},
    {"57", Trouble::later},
    {"58", Trouble::later},
    {"21", Trouble::data},  // two of a batch are for one row, of which either can be stored
    {"22", Trouble::data},
    {"23", Trouble::data},
    {"54", Trouble::data},
};

}  // namespace

Trouble classify(const std::exception& error) {
  const auto* sql = dynamic_cast<const pqxx::sql_error*>(&error);
  // Whatever else libpqxx calls a failure is one of the connection, under several names.
  if (!sql) return dynamic_cast<const pqxx::failure*>(&error) ? Trouble::lost : Trouble::defect;
  // libpq gives no state for what it noticed itself, and that is a lost connection.
  if (sql->sqlstate().empty()) return Trouble::lost;
  for (const auto& rule : kRules)
    if (sql->sqlstate().starts_with(rule.prefix)) return rule.trouble;
  return Trouble::defect;
}

std::string describe(const std::exception& error) {
  std::string text = error.what();
  // What libpqxx stumbles over first when a session has ended says nothing to a person.
  if (text.starts_with("Could not obtain client encoding")) return "the connection was lost";
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
  std::replace(text.begin(), text.end(), '\n', ' ');
  return text;
}

}  // namespace godwit::store
