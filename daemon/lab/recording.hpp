#pragma once
#include <map>
#include <memory>
#include <string>

#include "base/json.hpp"
#include "engine/step_runner.hpp"

namespace godwit::lab {

namespace json = base::json;

// What the steps of a run gave, as `godwit run export` writes it.
class Recording {
 public:
  // Throws Error(refused) when `text` is no recorded run.
  Recording(std::string_view text, const std::string& file);

  const std::string& file() const { return file_; }
  const json::object& params() const { return params_; }
  // Null for a step that the run did not make.
  const engine::StepOutcome* find(const std::string& step) const;

 private:
  std::string file_;
  json::object params_;
  std::map<std::string, engine::StepOutcome> steps_;
};

}  // namespace godwit::lab
