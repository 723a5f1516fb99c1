#include "control/commands/all.hpp"

#include "base/json_text.hpp"

namespace godwit::control::commands {
namespace {

namespace json = base::json;

constexpr std::int64_t kPriorityMax = 100;

const Parameter kQueue{"queue", ParameterType::text, false, "the queue it waits in, instead of its job's"};
const Parameter kPriority{"priority", ParameterType::whole, false,
                          "-100 to 100 instead of its job's; higher ones first"};

int priority_of(std::int64_t given) {
  if (given < -kPriorityMax || given > kPriorityMax)
    throw base::refused("a priority is from -100 to 100, not " + std::to_string(given),
                        base::Place{.path = "priority"});
  return static_cast<int>(given);
}

// What is given is not empty: that comes from a variable that is not set. An empty key would make a script submit again
// what it has submitted, and without stages all of them would run.
void require_given(const Call& call, const std::string& name, bool empty, const std::string& what,
                   const std::string& without) {
  if (call.arguments.has(name) && empty)
    throw base::refused(what, base::Place{.path = name}, "leave it out for " + without);
}

void check_size(const json::object& params, const Services& services) {
  const auto size = base::serialize(params).size();
  if (size <= services.submit_max) return;
  throw base::refused("the parameters have " + std::to_string(size) + " bytes, and at most " +
                          std::to_string(services.submit_max) + " are taken",
                      base::Place{.path = "params"},
                      "store what is large elsewhere and pass where it is, or raise control.submit_max");
}

engine::SubmitRequest request_of(Call& call, const Services& services) {
  engine::SubmitRequest request;
  request.job = call.arguments.text("job");
  request.text = call.arguments.text("text");
  request.file = call.arguments.text("file");
  request.key = call.arguments.text("key");
  request.only = call.arguments.texts("only");
  request.stop_after = call.arguments.text("stop_after");
  request.queue = call.arguments.text("queue");
  require_given(call, "key", request.key.empty(), "the key is empty", "a submit without a key");
  require_given(call, "only", request.only.empty(), "the list of stages is empty", "all stages");
  require_given(call, "stop_after", request.stop_after.empty(), "the name of the stage is empty", "all stages");
  if (call.arguments.has("priority")) request.priority = priority_of(call.arguments.count("priority"));
  // An empty file is a job file too, and a bad one: the parser says so with its place.
  if (request.job.empty() && request.text.empty() && !request.file.empty())
    services.library.parse(request.text, request.file);
  if (request.job.empty() == request.text.empty()) {
    throw base::refused("a submit names a job or carries a job file's text, one of the two", {},
                        "give `job`, or `text` and `file`");
  }
  if (!request.text.empty() && call.role < Role::admin && !services.operators_submit_files) {
    throw base::Error(
        base::ErrorKind::denied,
        "user '" + call.caller.name + "' may submit the jobs of the daemon's job folders, not job files of its own", {},
        "`godwit job list` shows them; an admin can put the file there, or submit it");
  }
  return request;
}

}  // namespace

Command run_submit(Services& services) {
  return {"run.submit",
          Role::operator_,
          "Stores a new run of a job and answers when it is safe on disk.",
          {{"job", ParameterType::text, false, "the name of a job in the daemon's job folders"},
           {"text", ParameterType::text, false, "a whole job file, instead of `job`"},
           {"file", ParameterType::text, false, "the name of that file, for messages"},
           {"params", ParameterType::object, false, "the parameters of the run"},
           {"only", ParameterType::texts, false, "the stages to run; the others are skipped"},
           {"stop_after", ParameterType::text, false, "a stage: it and what it needs is run, the others are skipped"},
           kQueue,
           kPriority,
           {"key", ParameterType::text, false,
            "makes the submit idempotent: a second one with this key gives the first one's run"}},
          [&services](Call call) {
            auto request = request_of(call, services);
            request.params = call.arguments.take_object("params");
            check_size(request.params, services);
            services.engine.submit(
                std::move(request), call.caller,
                call.reply.when<engine::SubmitReceipt>([reply = call.reply](const auto& receipt) {
                  reply.result(json::object{{"run", model::number(receipt.run)}, {"existing", receipt.existing}});
                }));
          }};
}

Command run_submit_many(Services& services) {
  return {"run.submit_many",
          Role::operator_,
          "Stores one new run for each set of parameters, all or none.",
          {{"job", ParameterType::text, false, "the name of a job in the daemon's job folders"},
           {"text", ParameterType::text, false, "a whole job file, instead of `job`"},
           {"file", ParameterType::text, false, "the name of that file, for messages"},
           {"only", ParameterType::texts, false, "the stages to run; the others are skipped"},
           {"stop_after", ParameterType::text, false, "a stage: it and what it needs is run, the others are skipped"},
           kQueue,
           kPriority,
           {"params", ParameterType::objects, true, "a list with the parameters of each run"}},
          [&services](Call call) {
            auto request = request_of(call, services);
            std::vector<json::object> params;
            for (auto& entry : call.arguments.take_objects("params")) {
              params.push_back(std::move(entry.get_object()));
              check_size(params.back(), services);
            }
            services.engine.submit_many(
                std::move(request), std::move(params), call.caller,
                call.reply.when<std::vector<model::RunId>>([reply = call.reply](const auto& runs) {
                  json::array numbers;
                  numbers.reserve(runs.size());
                  for (const auto run : runs) numbers.emplace_back(model::number(run));
                  reply.result(json::object{{"runs", std::move(numbers)}});
                }));
          }};
}

}  // namespace godwit::control::commands
