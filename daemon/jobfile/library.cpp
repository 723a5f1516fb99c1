#include "jobfile/library.hpp"

#include <algorithm>
#include <fstream>
#include <set>

#include "base/suggest.hpp"
#include "jobfile/job_parser.hpp"

namespace godwit::jobfile {

namespace fs = std::filesystem;

namespace {

constexpr std::uintmax_t kFileMax = 1u << 20;

std::vector<fs::path> job_files(const fs::path& directory, std::vector<base::Error::Problem>& problems) {
  std::vector<fs::path> files;
  std::error_code error;
  fs::recursive_directory_iterator entries(directory, fs::directory_options::skip_permission_denied, error);
  for (; !error && entries != fs::recursive_directory_iterator(); entries.increment(error)) {
    const auto extension = entries->path().extension();
    std::error_code ignored;
    if (entries->path().stem().extension() == ".test") continue;  // tests stand beside the jobs
    const bool job = extension == ".yaml" || extension == ".yml" || extension == ".lua";
    if (job && entries->is_regular_file(ignored))
      files.push_back(entries->path());
  }
  if (error) problems.push_back({"the job directory cannot be read: " + error.message(), {directory.string()}, {}});
  std::sort(files.begin(), files.end());
  return files;
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

Library::Report Library::reload() {
  Report report;
  std::map<std::string, std::shared_ptr<const model::Job>> read;
  std::set<std::string> bad_files;
  for (const auto& directory : directories_) {
    for (const auto& file : job_files(directory, report.problems)) {
      try {
        std::string text = read_file(file);
        if (model::is_script_name(file.string())) {
          // The modules of scripts lie beside them.
          if (text.find(".job") == std::string::npos) continue;
          text = bundle_text(file, std::move(text));
        }
        auto job = std::make_shared<const model::Job>(parse(text, file.string()));
        const auto [position, is_new] = read.try_emplace(job->name, job);
        if (!is_new)
          throw base::refused("job '" + job->name + "' is already defined in " + position->second->file,
                              {file.string()}, "give it another name");
        ++report.loaded;
      } catch (const base::Error& error) {
        bad_files.insert(file.string());
        report.problems.insert(report.problems.end(), error.problems().begin(), error.problems().end());
      } catch (const std::exception& error) {
        bad_files.insert(file.string());
        report.problems.push_back({error.what(), {file.string()}, {}});
      }
    }
  }
  for (const auto& [name, job] : jobs_)
    if (bad_files.contains(job->file)) read.try_emplace(name, job);
  for (const auto& [name, job] : read) {
    const auto before = jobs_.find(name);
    if (before == jobs_.end() || before->second->version != job->version) ++report.changed;
  }
  jobs_ = std::move(read);
  report_ = report;
  return report;
}

std::shared_ptr<const model::Job> Library::find(const std::string& name) const {
  const auto found = jobs_.find(name);
  if (found != jobs_.end()) return found->second;
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
