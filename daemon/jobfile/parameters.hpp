#pragma once
#include <memory>
#include <optional>
#include <vector>

#include "expression/language.hpp"
#include "jobfile/schema.hpp"
#include "model/job.hpp"

namespace godwit::jobfile {

// The check of one job version's parameters: schema and `checks`, compiled once. Uses the Language it was made with,
// which must outlive it.
class ParameterSchema {
 public:
  ParameterSchema(const model::Job& job, expression::Language& language);

  // The parameters with their defaults filled in. Throws Error(refused) with every violation and its path.
  json::object check(json::object given) const;

 private:
  struct CompiledCheck {
    std::shared_ptr<const expression::Compiled> that;
    std::shared_ptr<const expression::CompiledTemplate> message;
    std::string path;
  };

  std::vector<base::Error::Problem> failed_checks(const json::value& params) const;

  std::string job_;
  std::optional<Schema> schema_;
  std::vector<CompiledCheck> checks_;
  expression::Language& language_;
};

// The same for one use.
json::object check_parameters(const model::Job& job, json::object given);

}  // namespace godwit::jobfile
