#include "jobfile/dependencies.hpp"

#include "base/suggest.hpp"
#include "expression/functions.hpp"

namespace godwit::jobfile {
namespace {

const std::vector<std::string> kRunMembers{"id", "job", "submitted_at"};

using Stages = std::vector<model::Stage>;

class Dependencies {
 public:
  Dependencies(Reader& reader, model::Job& job) : reader_(reader), job_(job) {
    for (const auto& param : job.params) param_names_.emplace_back(param.key());
  }

  void check() {
    each_list([this](Stages& stages) {
      for (auto& stage : stages) {
        check_name(stage);
        check_needs(stages, stage);
      }
    });
    for (const Use& use : reader_.uses()) check_use(use);
    each_list([this](Stages& stages) { find_circle(stages); });
  }

 private:
  template <typename Visit>
  void each_list(Visit visit) {
    visit_list(job_.stages, visit);
    for (auto& ending : job_.endings) visit_list(ending, visit);
  }
  template <typename Visit>
  void visit_list(Stages& stages, Visit& visit) {
    visit(stages);
    for (auto& stage : stages)
      if (!stage.stages.empty()) visit_list(stage.stages, visit);
  }

  static std::vector<std::string> names_of(const Stages& stages) {
    std::vector<std::string> names;
    for (const auto& stage : stages) names.push_back(stage.name);
    return names;
  }

  // Expressions know a stage by its name alone, so each has its own.
  void check_name(const model::Stage& stage) {
    if (is_known(stage.name, stage_names_))
      reader_.problem(stage.place, "another stage of the job is called '" + stage.name + "' too");
    stage_names_.push_back(stage.name);
  }

  void check_needs(const Stages& stages, model::Stage& stage) {
    const std::vector<std::string> names = names_of(stages);
    std::vector<std::string> known;
    for (std::size_t i = 0; i < stage.needs.size(); ++i) {
      const auto& need = stage.needs[i];
      if (!is_known(need, names)) {
        const auto path = base::below(stage.place.path + ".needs", i);
        reader_.problem(reader_.place(path), "needs the unknown stage '" + need + "'", base::suggest(need, names));
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
      reader_.problem(use.place, "'" + root + "' is only known to the items of a foreach",
                      use.sight.stage.empty() ? "" : "the stage has no foreach, or this is decided before its items");
    } else if (root == "output" && !use.sight.output) {
      reader_.problem(use.place, "'output' is only known in `output` and `emit`");
    } else if (root == "outcome" && !use.sight.outcome) {
      reader_.problem(use.place, "'outcome' is only known in on_failure, on_success and on_cancel");
    } else if (root == "stages" || root == "run") {
      reader_.problem(use.place, "'" + root + "' is not known here");
    } else if (root != "item" && root != "index" && root != "output" && root != "outcome") {
      std::vector<std::string> known = expression::function_names();
      for (const char* name : {"params", "stages", "run", "item", "index", "output", "outcome"})
        known.emplace_back(name);
      reader_.problem(use.place, "unknown name '" + root + "'", base::suggest(root, known));
    }
  }

  void check_member(const Use& use, const std::vector<std::string>& known, const std::string& what) {
    const std::string& member = use.reference.member;
    if (member.empty() || member == "*" || is_known(member, known)) return;
    reader_.problem(use.place, "there is no " + what + " '" + member + "'", base::suggest(member, known));
  }

  // A stage that reads another one needs it: in the list they share, or the stage around the reader does.
  void check_stage_use(const Use& use) {
    const std::string& member = use.reference.member;
    if (use.sight.stage.empty()) return check_member(use, names_of(job_.stages), "stage");
    Stages* list = use.sight.ending ? &job_.endings[static_cast<std::size_t>(*use.sight.ending)] : &job_.stages;
    std::vector<const Stages*> seen{list};
    if (use.sight.ending) seen.push_back(&job_.stages);
    for (std::size_t depth = 0; depth < use.sight.stage.size(); ++depth) {
      model::Stage& stage = list->at(use.sight.stage[depth]);
      if (stage.name == member)
        return reader_.problem(use.place, "the stage reads its own output", "use `output` in its `output` or `emit`");
      if (has(*list, member)) {
        if (!is_known(member, stage.needs)) stage.needs.push_back(member);
        return;
      }
      if (depth + 1 == use.sight.stage.size() && (member.empty() || member == "*")) return check_any_use(use, stage);
      list = &stage.stages;
      if (depth + 1 < use.sight.stage.size() || use.sight.body) seen.push_back(list);
    }
    std::vector<std::string> names;
    for (const Stages* one : seen) {
      if (has(*one, member)) return;
      const auto more = names_of(*one);
      names.insert(names.end(), more.begin(), more.end());
    }
    check_member(use, names, "stage");
  }

  void check_any_use(const Use& use, const model::Stage& stage) {
    if (stage.needs.empty() && !use.sight.body)
      reader_.problem(use.place, "which stages are read here is only known when it runs", "name them in `needs`");
  }

  static bool has(const Stages& stages, const std::string& name) {
    return std::any_of(stages.begin(), stages.end(), [&](const model::Stage& stage) { return stage.name == name; });
  }

  // A depth-first walk; a stage that is met while it is being walked closes a circle. One circle is told: its end often
  // ends the others.
  void find_circle(const Stages& stages) {
    enum class Mark { fresh, open, done };
    std::map<std::string, Mark> marks;
    std::vector<std::string> trail;
    const std::function<bool(const std::string&)> walk = [&](const std::string& name) {
      if (marks[name] == Mark::done) return false;
      trail.push_back(name);
      if (marks[name] == Mark::open) return true;
      marks[name] = Mark::open;
      for (const auto& need : stage_of(stages, name).needs)
        if (walk(need)) return true;
      marks[name] = Mark::done;
      trail.pop_back();
      return false;
    };
    for (const auto& stage : stages) {
      if (!walk(stage.name)) continue;
      report_circle(stages, trail);
      return;
    }
  }

  void report_circle(const Stages& stages, const std::vector<std::string>& trail) {
    std::string text;
    for (auto at = std::find(trail.begin(), trail.end(), trail.back()); at != trail.end(); ++at)
      text += (text.empty() ? "" : " -> ") + *at;
    reader_.problem(stage_of(stages, trail.back()).place, "stages need each other: " + text,
                    "an expression that reads stages.x needs x as well");
  }

  static const model::Stage& stage_of(const Stages& stages, const std::string& name) {
    return *std::find_if(stages.begin(), stages.end(), [&](const auto& stage) { return stage.name == name; });
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
