#include "model/job.hpp"

namespace godwit::model {

std::string work_text(const Stage& stage) {
  if (!stage.stages.empty()) return std::to_string(stage.stages.size()) + " stages";
  switch (stage.kind) {
    case StageKind::call:
    case StageKind::statement:
      return stage.uses;
    case StageKind::child:
      return "run " + stage.uses;
    case StageKind::signal:
      return "wait_signal";
    case StageKind::approval:
      return "approve";
    case StageKind::sleep:
      return "sleep";
    case StageKind::lock:
      return "lock";
  }
  return {};
}

}  // namespace godwit::model
