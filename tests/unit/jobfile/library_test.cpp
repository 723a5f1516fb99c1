// Goal: what stands in a job folder changes no job by accident, and what is wrong with a file is said to who asks for its
// job. Method: folders with the files in question.
#include <catch2/catch.hpp>

#include <fstream>

#include "jobfile/library.hpp"
#include "support/temp_dir.hpp"

using namespace godwit;
using jobfile::Library;

namespace {

struct Folder {
  support::TempDir dir;
  Library library{{dir.path()}};

  void write(const std::string& file, const std::string& job, const std::string& uses = "noop") {
    std::ofstream(dir / file) << "job: " << job << "\nstages:\n  s: {uses: " << uses << "}\n";
  }
  std::string file_of(const std::string& job) const {
    return std::filesystem::path(library.find(job)->file).filename();
  }
  // What is said to who asks for a job that cannot be had.
  base::Error refusal(const std::string& job) const {
    try {
      library.find(job);
    } catch (const base::Error& error) {
      return error;
    }
    return base::Error(base::ErrorKind::internal, "it was found");
  }
};

}  // namespace

TEST_CASE("a copy beside the file that serves a job takes nothing over") {
  Folder folder;
  folder.write("gate.yaml", "gate");
  folder.library.reload();
  folder.write("gate-old.yaml", "gate", "sleep");
  const auto report = folder.library.reload();
  CHECK(folder.file_of("gate") == "gate.yaml");
  REQUIRE(report.problems.size() == 1);
  CHECK_THAT(report.problems[0].text(), Catch::Contains("gate-old.yaml: job 'gate' is already defined in ") &&
                                            Catch::Contains("/gate.yaml"));
  CHECK(report.loaded == 1);
  CHECK(report.changed == 0);

  // Nor when the file that serves it goes bad, and it may when that one is gone.
  std::ofstream(folder.dir / "gate.yaml") << "job: gate\n";
  folder.library.reload();
  CHECK(folder.library.find("gate")->stages.at(0).uses == "noop");
  std::filesystem::remove(folder.dir / "gate.yaml");
  CHECK(folder.library.reload().problems.empty());
  CHECK(folder.file_of("gate") == "gate-old.yaml");
}

TEST_CASE("of two files for one job none is taken where neither serves it, and both are named") {
  Folder folder;
  folder.write("a.yaml", "gate");
  folder.write("b.yaml", "gate", "sleep");
  const auto report = folder.library.reload();
  CHECK(report.problems.size() == 2);
  CHECK(folder.library.list().empty());
  const auto refusal = folder.refusal("gate");
  CHECK(refusal.kind() == base::ErrorKind::refused);
  CHECK_THAT(refusal.what(), Catch::Contains("/a.yaml: job") && Catch::Contains("/b.yaml: job"));
}

TEST_CASE("who asks for a job whose file is wrong hears what is wrong, by the job's name and by the file's") {
  Folder folder;
  std::ofstream(folder.dir / "bad.yaml") << "job: worse\nstages:\n  s: {usess: noop}\n";
  std::ofstream(folder.dir / "torn.yaml") << "job: [\n";
  folder.write("nap.yaml", "nap");
  folder.library.reload();
  for (const char* name : {"bad", "worse"}) {
    const auto refusal = folder.refusal(name);
    CHECK(refusal.kind() == base::ErrorKind::refused);
    CHECK_THAT(refusal.what(), Catch::Contains("bad.yaml:3:") && Catch::Contains("usess"));
  }
  CHECK(folder.refusal("torn").kind() == base::ErrorKind::refused);
  CHECK(folder.refusal("none").kind() == base::ErrorKind::not_found);
  CHECK(folder.file_of("nap") == "nap.yaml");
}

TEST_CASE("a folder that cannot be read leaves the jobs it had, and those of other folders are read anew") {
  support::TempDir dir;
  const auto write = [&](const std::string& folder, const std::string& job, const std::string& uses) {
    std::filesystem::create_directories(dir / folder);
    std::ofstream(dir / folder / (job + ".yaml")) << "job: " << job << "\nstages:\n  s: {uses: " << uses << "}\n";
  };
  write("one", "here", "noop");
  write("two", "there", "noop");
  Library library{{dir / "one", dir / "two"}};
  library.reload();
  const auto there = library.find("there")->version, here = library.find("here")->version;
  std::filesystem::rename(dir / "two", dir / "away");
  write("one", "here", "other");
  const auto report = library.reload();
  REQUIRE(report.problems.size() == 1);
  CHECK(report.problems.front().what.starts_with("the job directory cannot be read: "));
  CHECK(library.find("there")->version == there);
  CHECK(library.find("here")->version != here);
  // A job whose file is gone from a folder that can be read is gone.
  std::filesystem::create_directories(dir / "two");
  library.reload();
  CHECK(library.look_up("there") == nullptr);
}
