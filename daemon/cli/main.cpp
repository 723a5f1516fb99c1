#include "cli/session.hpp"

int main(int argc, char** argv) {
  return godwit::cli::run_program(std::vector<std::string>(argv + 1, argv + argc));
}
