#include <cstdio>
#include <exception>

#include "lab/commands.hpp"

// godwit-lab: what `godwit job` does without a daemon. Its one argument is a request in JSON, made by godwit.
int main(int argc, char** argv) {
  using namespace godwit;
  int code = 0;
  try {
    const auto request = base::parse_json(argc == 2 ? argv[1] : "{}");
    code = lab::run_command(request.is_object() ? request.get_object() : base::json::object());
  } catch (const base::Error& error) {
    std::fflush(stdout);
    for (const auto& problem : error.problems()) std::fprintf(stderr, "godwit: %s\n", problem.text().c_str());
    return base::info(error.kind()).exit_code;
  } catch (const std::exception& error) {
    std::fflush(stdout);
    std::fprintf(stderr, "godwit: %s\n", error.what());
    return 1;
  }
  if (std::fflush(stdout) != 0) return 1;
  return code;
}
