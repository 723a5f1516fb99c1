#pragma once
#include <memory>
#include <string>

#include "engine/engine.hpp"
#include "engine/intake.hpp"

namespace godwit::engine {

// Moves runs to other versions of their jobs, on purpose and after a look at what would differ.
class Migrations {
 public:
  struct Parts {
    Store& store;
    StepRunner& steps;
    Clock& clock;
    JobCache& jobs;
    jobfile::Library& library;
    Runner& runner;
    Intake& intake;
  };
  explicit Migrations(Parts parts) : parts_(parts) {}

  void migrate(model::RunId run, std::string to, bool dry, Caller caller, Answer<base::json::object> answer);

 private:
  struct Move {
    model::RunId run{};
    std::string to;
    bool dry = false;
    Caller caller;
    Answer<base::json::object> answer;
  };
  void look(const std::shared_ptr<Move>& move);
  bool refuses(const Move& move) const;
  void compare(const std::shared_ptr<Move>& move, UnfinishedRun stored, std::shared_ptr<const CompiledJob> job);
  void decide(const std::shared_ptr<Move>& move, const CompiledJob& job, base::json::object report);
  void rehearse(const std::shared_ptr<Move>& move, UnfinishedRun stored, std::shared_ptr<const CompiledJob> job);
  void rehearse_with_outputs(const std::shared_ptr<Move>& move, UnfinishedRun stored,
                             std::shared_ptr<const CompiledJob> job);
  static base::json::object new_report(const UnfinishedRun& stored, const CompiledJob& job);
  base::json::object replay(UnfinishedRun stored, const std::shared_ptr<const CompiledJob>& job) const;
  void change(const std::shared_ptr<Move>& move, const CompiledJob& job, base::json::object report);

  Parts parts_;
};

}  // namespace godwit::engine
