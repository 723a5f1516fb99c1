#include "jobfile/library.hpp"

#include <algorithm>
#include <fstream>
#include <set>

#include "base/suggest.hpp"
#include "config/yaml_document.hpp"
#include "jobfile/job_parser.hpp"

namespace godwit::jobfile {

namespace fs = std::filesystem;

namespace {

constexpr std::uintmax_t kFileMax = 1u << 20;

std::vector<fs::path> job_files(const fs::path& directory, std::error_code& error) {
  std::vector<fs::path> files;
  fs::recursive_directory_iterator entries(directory, fs::directory_options::skip_permission_denied, error);
  for (; !error && entries != fs::recursive_directory_iterator(); entries.increment(error)) {
    const auto extension = entries->path().extension();
    std::error_code ignored;
    if (entries->path().stem().extension() == ".test") continue;  // tests stand beside the jobs
    const bool job = extension == ".yaml" || extension == ".yml" || extension == ".lua";
    if (job && entries->is_regular_file(ignored))
      files.push_back(entries->path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

bool is_below(const fs::path& directory, const fs::path& file) {
  return std::mismatch(directory.begin(), directory.end(), file.begin(), file.end()).first == directory.end();
}

std::string read_file(const fs::path& file) {
  if (fs::file_size(file) > kFileMax)
    throw base::refused("the file is larger than 1 MiB, which no job is", {file.string()});
  std::ifstream in(file, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(in), {}};
  if (!in) throw base::refused("the file cannot be read", {file.string()});
  return text;
}

std::string bundle_text(const fs::path& file, std::string text) {
  const auto read_module = [&](const std::string& path) -> std::optional<std::string> {
    const fs::path module = file.parent_path() / path;
    std::error_code error;
    if (!fs::is_regular_file(module, error)) return std::nullopt;
    return read_file(module);
  };
  return model::collect_script(file.string(), std::move(text), read_module).to_text();
}

// By what a file that cannot be used is asked for: its own name, and the job's where that much can be read.
std::set<std::string> names_of(const fs::path& file) {
  std::set<std::string> names{file.stem().string()};
  try {
    const config::YamlDocument document(read_file(file), file.string());
    if (const auto* name = document.root().find("job"); name && !name->text.empty()) names.insert(name->text);
  } catch (const std::exception&) {
    // A script, or a file in which nothing can be found: its problems are told by whoever tried to read it.
  }
  return names;
}

}  // namespace

model::Job Library::parse(const std::string& text, const std::string& file) const {
  auto bundle = model::ScriptBundle::parse(text);
  if (!bundle || bundle->header) return jobfile::parse(text, file);
  if (!scripts_) throw base::refused("Lua jobs cannot be read here", {file});
  try {
    bundle->header = scripts_->read(*bundle);
  } catch (const base::Error& error) {
    // The script knows its own name only, not its folder.
    auto problems = error.problems();
    const std::string folder = file.substr(0, file.size() - std::min(bundle->file.size(), file.size()));
    for (auto& problem : problems) problem.place.file = problem.place.file.empty() ? file : folder + problem.place.file;
    throw base::Error(error.kind(), std::move(problems));
  }
  return jobfile::parse(bundle->to_text(), file);
}

std::shared_ptr<const model::Job> Library::read(const fs::path& file) const {
  std::string text = read_file(file);
  if (model::is_script_name(file.string())) {
    // The modules of scripts lie beside them.
    if (text.find(".job") == std::string::npos) return nullptr;
    text = bundle_text(file, std::move(text));
  }
  return std::make_shared<const model::Job>(parse(text, file.string()));
}

Library::Report Library::reload() {
  Report report;
  std::map<std::string, std::vector<std::shared_ptr<const model::Job>>> found;
  Unreadable bad;
  std::set<std::string> bad_files, seen_files;
  std::vector<fs::path> lost_directories;
  const auto note_bad = [&](const fs::path& file, const Problems& problems) {
    bad_files.insert(file.string());
    report.problems.insert(report.problems.end(), problems.begin(), problems.end());
    for (const auto& name : names_of(file)) bad[name].insert(bad[name].end(), problems.begin(), problems.end());
  };
  for (const auto& directory : directories_) {
    std::error_code unread;
    const auto files = job_files(directory, unread);
    if (unread) {
      lost_directories.push_back(directory);
      report.problems.push_back({"the job directory cannot be read: " + unread.message(), {directory.string()}, {}});
    }
    for (const auto& file : files) {
      seen_files.insert(file.string());
      try {
        if (auto job = read(file)) {
          found[job->name].push_back(std::move(job));
          ++report.loaded;
        }
      } catch (const base::Error& error) {
        note_bad(file, error.problems());
      } catch (const std::exception& error) {
        note_bad(file, {{error.what(), {file.string()}, {}}});
      }
    }
  }
  // A file that went bad leaves its last good version in place, and a directory that cannot be read all of its jobs.
  const auto is_lost = [&](const std::string& file) {
    return !seen_files.contains(file) && std::any_of(lost_directories.begin(), lost_directories.end(),
                                                     [&](const auto& directory) { return is_below(directory, file); });
  };
  for (const auto& [name, job] : jobs_)
    if (bad_files.contains(job->file) || is_lost(job->file)) found[name].push_back(job);
  auto jobs = choose(found, bad, report);
  for (const auto& [name, job] : jobs) {
    const auto before = jobs_.find(name);
    if (before == jobs_.end() || before->second->version != job->version) ++report.changed;
  }
  jobs_ = std::move(jobs);
  unreadable_ = std::move(bad);
  report_ = report;
  return report;
}

// Of several files for one job the one stays that serves it already, whatever they are called: a copy that somebody laid
// beside it takes nothing over. Where none serves, nobody can say which is meant.
Library::Jobs Library::choose(const std::map<std::string, std::vector<std::shared_ptr<const model::Job>>>& found,
                              Unreadable& bad, Report& report) const {
  Jobs jobs;
  for (const auto& [name, files] : found) {
    const auto before = jobs_.find(name);
    auto serving = std::find_if(files.begin(), files.end(), [&](const auto& job) {
      return files.size() == 1 || (before != jobs_.end() && before->second->file == job->file);
    });
    if (serving == files.end() && twins_ == Twins::first) serving = files.begin();
    if (serving != files.end()) jobs[name] = *serving;
    for (auto job = files.begin(); job != files.end(); ++job) {
      if (job == serving) continue;
      const auto& other = serving != files.end() ? *serving : job == files.begin() ? files.back() : files.front();
      const base::Error::Problem problem{"job '" + name + "' is already defined in " + other->file,
                                         {(*job)->file, 0, 0, {}},
                                         "give one of them another name, or move it out of the job folders"};
      report.problems.push_back(problem);
      if (serving == files.end()) bad[name].push_back(problem);
      --report.loaded;
    }
  }
  return jobs;
}

std::shared_ptr<const model::Job> Library::look_up(const std::string& name) const {
  const auto found = jobs_.find(name);
  return found == jobs_.end() ? nullptr : found->second;
}

std::shared_ptr<const model::Job> Library::find(const std::string& name) const {
  if (auto found = look_up(name)) return found;
  if (const auto bad = unreadable_.find(name); bad != unreadable_.end())
    throw base::Error(base::ErrorKind::refused, bad->second);
  std::vector<std::string> names;
  for (const auto& [known, job] : jobs_) names.push_back(known);
  const std::string suggestion = base::suggest(name, names);
  throw base::not_found("there is no job '" + name + "'", !suggestion.empty() ? suggestion
                                                          : names.empty()
                                                              ? "no job directory has any job; see `godwit status`"
                                                              : "`godwit job list` shows what there is");
}

std::vector<std::shared_ptr<const model::Job>> Library::list() const {
  std::vector<std::shared_ptr<const model::Job>> jobs;
  for (const auto& [name, job] : jobs_) jobs.push_back(job);
  return jobs;
}

}  // namespace godwit::jobfile
