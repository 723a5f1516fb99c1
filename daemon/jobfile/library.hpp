#pragma once
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "jobfile/script_reader.hpp"
#include "model/job.hpp"

namespace godwit::jobfile {

// The jobs that may be submitted by name: the files of the job directories, as they were at the last reload that could read them. A file
// that went bad leaves its last good version in place and is reported; so does a second file for a job that is served.
class Library {
 public:
  // What becomes of files that have the same job while none of them serves it.
  enum class Twins {
    refused,
    first,  // by its path: where both forms of a job may stand side by side, to be compared
  };
  // `scripts` reads Lua jobs, which are refused without it; it must outlive the library.
  explicit Library(std::vector<std::filesystem::path> directories, ScriptReader* scripts = nullptr,
                   Twins twins = Twins::refused)
      : directories_(std::move(directories)), scripts_(scripts), twins_(twins) {}

  struct Report {
    std::size_t loaded = 0;   // files read without a problem
    std::size_t changed = 0;  // jobs new or different from before
    std::vector<base::Error::Problem> problems;
  };
  // Reads all *.yaml and *.yml files of the directories and the folders below them, but *.test.yaml, which hold tests; and
  // *.lua that give a job.
  Report reload();
  const Report& last_report() const { return report_; }
  // A whole job file, or the bundle of a script. Throws Error(refused) as jobfile::parse() does.
  model::Job parse(const std::string& text, const std::string& file) const;

  // Throws Error(not_found) with a suggestion, and Error(refused) with what is wrong with the file that has the job.
  std::shared_ptr<const model::Job> find(const std::string& name) const;
  // The same, and null when the library does not have it.
  std::shared_ptr<const model::Job> look_up(const std::string& name) const;
  std::vector<std::shared_ptr<const model::Job>> list() const;

 private:
  using Problems = std::vector<base::Error::Problem>;
  using Jobs = std::map<std::string, std::shared_ptr<const model::Job>>;
  using Unreadable = std::map<std::string, Problems>;  // by the names that such files go by

  // Null for a module of scripts.
  std::shared_ptr<const model::Job> read(const std::filesystem::path& file) const;
  Jobs choose(const std::map<std::string, std::vector<std::shared_ptr<const model::Job>>>& found, Unreadable& bad,
              Report& report) const;

  std::vector<std::filesystem::path> directories_;
  ScriptReader* scripts_;
  Twins twins_;
  Jobs jobs_;
  Unreadable unreadable_;
  Report report_;
};

}  // namespace godwit::jobfile
