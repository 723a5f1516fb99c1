#include "engine/script_rehearsal.hpp"

#include "engine/script_driver.hpp"

namespace godwit::engine {

void ScriptRehearsal::begin(Scripts& scripts, ScriptStart start, std::function<void(Report)> done) {
  std::shared_ptr<ScriptRehearsal> rehearsal(new ScriptRehearsal(scripts, std::move(done)));
  rehearsal->self_ = rehearsal;
  rehearsal->machine_ = scripts.start(std::move(start), *rehearsal);
}

void ScriptRehearsal::output(model::script::Output output) {
  for (const auto& note : output.notes)
    if (!note.folds) report_.next.push_back(note.path);
  for (const auto& request : output.requests) report_.next.push_back(request.path);
  if (output.end) {
    using Kind = model::script::End::Kind;
    ended_ = true;
    if (output.end->kind == Kind::mismatch) {
      report_.problem = mismatch_text(*output.end);
      report_.recorded = output.end->recorded;
      report_.requested = output.end->requested;
    } else if (output.end->kind == Kind::failed) {
      report_.problem = "the script fails: " + output.end->failure.code + ": " + output.end->failure.message;
    }
  }
  if (!output.more) finish();
}

void ScriptRehearsal::lost(model::Failure why, bool) {
  ended_ = true;
  report_.problem = "the process of the script was lost: " + why.message;
  finish();
}

void ScriptRehearsal::finish() {
  const auto keep = std::exchange(self_, nullptr);
  if (!ended_) scripts_.drop(machine_);
  done_(std::move(report_));
}

}  // namespace godwit::engine
