// The one main() of all test programs. A test that makes random choices prints its seed itself; the order of tests is
// Catch2's own seed.
#define CATCH_CONFIG_RUNNER
#include <catch2/catch.hpp>

int main(int count, char* arguments[]) {
  Catch::Session session;
  // A test that checks nothing, or a pattern that no test has, is a failure; the command line takes only one of the two.
  session.configData().warnings =
      static_cast<Catch::WarnAbout::What>(Catch::WarnAbout::NoAssertions | Catch::WarnAbout::NoTests);
  const int refused = session.applyCommandLine(count, arguments);
  return refused != 0 ? refused : session.run();
}
