#include "integration/store/facts.hpp"

namespace godwit::support {

model::RunId Life::submit(const std::string& job) {
  const auto run = numbers(1).front();
  if (append({submitted(run, job)}).kind != engine::Verdict::committed)
    throw std::runtime_error("the submit was not committed");
  return run;
}

void Life::leave(const std::string& url) {
  store.stop();
  sql(url, "SELECT godwit.end_lease(node) FROM godwit.lease WHERE until > '-infinity'");
}

base::Instant moment(int second) {
  return base::from_microseconds(1'763'800'000'123'456 + std::int64_t(second) * 1'000'000);
}

engine::Submitted submitted(model::RunId run, const std::string& job, const std::string& key) {
  engine::Submitted fact;
  fact.run = run;
  fact.job = job;
  fact.version = std::string(64, 'a');
  fact.params = R"({"origin":"HAM"})";
  fact.key = key;
  fact.submitted_by = "ops";
  fact.submitted_at = moment();
  fact.pins = R"({"timetable.search":"1.0"})";
  return fact;
}

engine::StepDone step(model::RunId run, const std::string& path, const std::string& output) {
  engine::StepDone fact;
  fact.run = run;
  fact.path = path;
  fact.attempt = 2;
  fact.args_hash = -5'000'000'000;
  fact.output = output;
  fact.started_at = moment(1);
  fact.finished_at = moment(2);
  return fact;
}

engine::RunDone done(model::RunId run) {
  engine::RunDone fact;
  fact.run = run;
  fact.result = R"({"best":99})";
  fact.at = moment(3);
  return fact;
}

pqxx::result sql(const std::string& url, const std::string& statement) {
  static store::Watchdog watchdog;
  store::Connection connection(url, "test", watchdog, std::chrono::minutes(5));
  return connection.exec(statement);
}

std::int64_t count(const std::string& url, const std::string& statement) {
  return sql(url, statement)[0][0].as<std::int64_t>();
}

}  // namespace godwit::support
