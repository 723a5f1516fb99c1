#pragma once
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "base/json.hpp"
#include "model/job.hpp"

namespace godwit::jobfile {

namespace json = base::json;

// A JSON Schema (draft 7; $ref to its own `definitions` only), compiled once. Checks formats date, date-time, email and
// uri.
class Schema {
 public:
  // Throws Error(refused) when `schema` is not a usable JSON Schema; `name` says whose it is.
  explicit Schema(json::object schema, const std::string& name = {});
  Schema(Schema&&) noexcept;
  Schema& operator=(Schema&&) noexcept;
  ~Schema();

  // Every violation with its path ("travelers[1].filters.max_stops"); empty when `value` is valid.
  std::vector<base::Error::Problem> violations(const json::value& value) const;
  // The same for a value of which the parts at these paths are not known yet: what is wrong whatever they will be.
  std::vector<base::Error::Problem> violations(const json::value& value, const std::set<std::string>& unknown) const;
  // Puts in the `default` of every property that an object of `value` lacks, at any depth; and makes 5 of a 5.0 where
  // an integer is wanted.
  void fill_defaults(json::value& value) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// The schema of a plugin's input. Throws Error(refused) with all violations.
class InputSchema {
 public:
  explicit InputSchema(json::object schema, const std::string& name = {}) : schema_(std::move(schema), name) {}
  void check(const json::value& input) const;
  // Before the expressions have values: looks at what is known without them.
  void check(const model::Template& input) const;

 private:
  Schema schema_;
};

}  // namespace godwit::jobfile
