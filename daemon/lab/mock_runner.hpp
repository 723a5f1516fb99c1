#pragma once
#include <set>
#include <string>
#include <vector>

#include "engine/store.hpp"
#include "expression/language.hpp"
#include "host_pool/plugin_catalog.hpp"
#include "lab/real_calls.hpp"
#include "lab/test_file.hpp"
#include "lab/virtual_runner.hpp"

namespace godwit::lab {

// A call that the job made.
struct SentCall {
  model::RunId run{};
  std::string step;
  std::string method;  // as the job names it
  int attempt = 1;
  json::value input;
};

// What is known of a job's calls beyond one life of the engine.
struct CallLog {
  std::vector<SentCall> sent;
  std::set<std::pair<model::RunId, std::string>> finished;  // steps that were recorded when the last life ended
  std::vector<std::string> faults;                          // what must not happen and did
};

// Answers the calls of one test: by its mocks, by its recorded run, or for real where that has no effect on the world.
class MockRunner : public VirtualRunner {
 public:
  struct Parts {
    engine::Clock& clock;
    const TestFile& file;
    const Test& test;
    const host_pool::PluginCatalog& catalog;
    RealCalls& real;
    expression::Language& language;
    CallLog& log;
  };
  // A `seed` other than 0 makes calls end in another order where nothing says which comes first.
  MockRunner(Parts parts, std::uint64_t seed) : VirtualRunner(parts.clock), parts_(parts), seed_(seed) {}

  std::shared_ptr<const engine::Callable> resolve(const std::string& uses) const override;
  // What a step's own SQL statement gives, as the mock of sql.exec says; the lab has no database. An Error refuses it.
  std::string statement(const engine::SqlStep& step);

  std::uint64_t start(std::shared_ptr<const engine::Callable> callable, engine::StepCall call,
                      engine::StepListener& listener) override;
  void cancel(std::uint64_t number) override;

 private:
  // A method as the job names it, and who answers it.
  struct Method {
    std::string uses;
    std::shared_ptr<const engine::Callable> callable;
    std::shared_ptr<const engine::Callable> installed;  // what is called for real, null when there is none
    const Mock* mock = nullptr;
    bool real = false;
  };

  std::optional<base::Duration> takes(const engine::Callable& callable, const engine::StepCall& call) override;
  engine::StepOutcome outcome(const engine::Callable& callable, const engine::StepCall& call,
                              engine::StepListener& listener) override;

  Method make_method(const std::string& uses) const;
  const Mock* find_mock(const std::string& name) const;
  bool is_pure(const engine::Callable& callable) const;
  const Method& method_of(const engine::Callable& callable) const { return methods_.at(uses_.at(&callable)); }
  // Null when no rule of the method fits.
  const MockRule* rule_of(const Method& method, const engine::StepCall& call) const;
  void note(const Method& method, const engine::StepCall& call);
  engine::StepOutcome outcome_of(const Method& method, const engine::StepCall& call);
  engine::StepOutcome answer(const MockRule& rule, const Method& method, const engine::StepCall& call);
  engine::StepOutcome not_mocked(const Method& method, const engine::StepCall& call);

  Parts parts_;
  std::uint64_t seed_;
  mutable std::map<std::string, Method> methods_;  // by `uses`
  mutable std::map<const engine::Callable*, std::string> uses_;
};

}  // namespace godwit::lab
