#include "base/standard_streams.hpp"
#include "cli/session.hpp"

int main(int argc, char** argv) {
  godwit::base::open_closed_descriptors();
  return godwit::cli::run_program(std::vector<std::string>(argv + 1, argv + argc));
}
