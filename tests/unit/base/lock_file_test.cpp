// Goal: of two who want a lock one has it, and the other learns who. Method: two descriptors of one process, which flock
// tells apart as it does two processes.
#include <catch2/catch.hpp>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <optional>
#include <thread>

#include "base/error.hpp"
#include "base/lock_file.hpp"
#include "support/temp_dir.hpp"

using namespace godwit;

TEST_CASE("a lock has one holder, whom the second learns of, and is free when that one lets go") {
  support::TempDir dir;
  const std::string path = dir / "lock";
  auto first = std::make_optional<base::LockFile>(path);
  CHECK(first->held());
  const base::LockFile second(path);
  CHECK_FALSE(second.held());
  CHECK(second.holder() == "pid " + std::to_string(::getpid()));
  first.reset();
  CHECK(base::LockFile(path).held());
}

TEST_CASE("a lock that a dead holder left to a process it was starting is had as soon as that one lets go") {
  support::TempDir dir;
  const std::string path = dir / "lock";
  auto left = std::make_optional<base::LockFile>(path);
  const pid_t dead = ::fork();
  if (dead == 0) ::_exit(0);
  ::waitpid(dead, nullptr, 0);
  std::ofstream(path) << dead << "\n";
  std::thread letting_go([&] { left.reset(); });
  // It is waited for, but not for ever: a machine may keep the other thread waiting for longer.
  bool held = false;
  for (int i = 0; i < 20 && !held; ++i) held = base::LockFile(path).held();
  CHECK(held);
  letting_go.join();
}

TEST_CASE("a holder who wrote no number is another process, and a lock that cannot be made is an error") {
  support::TempDir dir;
  const std::string path = dir / "lock";
  const base::LockFile first(path);
  std::ofstream(path) << "nobody\n";
  CHECK(base::LockFile(path).holder() == "another process");
  CHECK_THROWS_AS(base::LockFile(dir / "none" / "lock"), base::Error);
}
