#include "jobfile/dependencies.hpp"

#include "base/suggest.hpp"
#include "expression/functions.hpp"

namespace godwit::jobfile {
namespace {

const std::vector<std::string> kRunMembers{"id", "job", "submitted_at"};

class Dependencies {
 public:
  Dependencies(Reader& reader, model::Job& job) : reader_(reader), job_(job) {
    for (const auto& stage : job.stages) stage_names_.push_back(stage.name);
    for (const auto& param : job.params) param_names_.emplace_back(param.key());
  }

  void check() {
    for (auto& stage : job_.stages) check_needs(stage);
    for (const Use& use : reader_.uses()) check_use(use);
    find_circle();
  }

 private:
  void check_needs(model::Stage& stage) {
    std::vector<std::string> known;
    for (const auto& need : stage.needs) {
      base::Place place = stage.place;
      place.path = base::below(place.path, "needs");
      if (!is_known(need, stage_names_)) {
        reader_.problem(place, "needs the unknown stage '" + need + "'", base::suggest(need, stage_names_));
      } else if (!is_known(need, known)) {
        known.push_back(need);
      }
    }
    stage.needs = std::move(known);
  }

  void check_use(const Use& use) {
    const auto& [root, member] = use.reference;
    if (root == "params") {
      check_member(use, param_names_, "parameter");
    } else if (root == "stages" && use.sight.stages) {
      check_stage_use(use);
    } else if (root == "run" && use.sight.run) {
      check_member(use, kRunMembers, "member of run");
    } else if ((root == "item" || root == "index") && !use.sight.item) {
      reader_.problem(
          use.place, "'" + root + "' is only known to the items of a foreach",
          use.sight.stage == Sight::kNoStage ? "" : "the stage has no foreach, or this is decided before its items");
    } else if (root == "output" && !use.sight.output) {
      reader_.problem(use.place, "'output' is only known in `output` and `emit`");
    } else if (root == "stages" || root == "run") {
      reader_.problem(use.place, "'" + root + "' is not known here");
    } else if (root != "item" && root != "index" && root != "output") {
      std::vector<std::string> known = expression::function_names();
      for (const char* name : {"params", "stages", "run", "item", "index", "output"}) known.emplace_back(name);
      reader_.problem(use.place, "unknown name '" + root + "'", base::suggest(root, known));
    }
  }

  void check_member(const Use& use, const std::vector<std::string>& known, const std::string& what) {
    const std::string& member = use.reference.member;
    if (member.empty() || member == "*" || is_known(member, known)) return;
    reader_.problem(use.place, "there is no " + what + " '" + member + "'", base::suggest(member, known));
  }

  void check_stage_use(const Use& use) {
    check_member(use, stage_names_, "stage");
    if (use.sight.stage == Sight::kNoStage) return;
    model::Stage& stage = job_.stages[use.sight.stage];
    const std::string& member = use.reference.member;
    if (member.empty() || member == "*") {
      if (stage.needs.empty())
        reader_.problem(use.place, "which stages are read here is only known when it runs", "name them in `needs`");
    } else if (member == stage.name) {
      reader_.problem(use.place, "the stage reads its own output", "use `output` in its `output` or `emit`");
    } else if (is_known(member, stage_names_) && !is_known(member, stage.needs)) {
      stage.needs.push_back(member);
    }
  }

  // A depth-first walk; a stage that is met while it is being walked closes a circle. One circle is told: its end often
  // ends the others.
  void find_circle() {
    enum class Mark { fresh, open, done };
    std::map<std::string, Mark> marks;
    std::vector<std::string> trail;
    const std::function<bool(const std::string&)> walk = [&](const std::string& name) {
      if (marks[name] == Mark::done) return false;
      trail.push_back(name);
      if (marks[name] == Mark::open) return true;
      marks[name] = Mark::open;
      for (const auto& need : stage_of(name).needs)
        if (walk(need)) return true;
      marks[name] = Mark::done;
      trail.pop_back();
      return false;
    };
    for (const auto& name : stage_names_) {
      if (!walk(name)) continue;
      report_circle(trail);
      return;
    }
  }

  void report_circle(const std::vector<std::string>& trail) {
    std::string text;
    for (auto at = std::find(trail.begin(), trail.end(), trail.back()); at != trail.end(); ++at)
      text += (text.empty() ? "" : " -> ") + *at;
    reader_.problem(stage_of(trail.back()).place, "stages need each other: " + text,
                    "an expression that reads stages.x needs x as well");
  }

  const model::Stage& stage_of(const std::string& name) const {
    return *std::find_if(job_.stages.begin(), job_.stages.end(), [&](const auto& stage) { return stage.name == name; });
  }
  static bool is_known(const std::string& name, const std::vector<std::string>& names) {
    return std::find(names.begin(), names.end(), name) != names.end();
  }

  Reader& reader_;
  model::Job& job_;
  std::vector<std::string> stage_names_;
  std::vector<std::string> param_names_;
};

}  // namespace

void check_dependencies(Reader& reader, model::Job& job) {
  Dependencies(reader, job).check();
}

}  // namespace godwit::jobfile
