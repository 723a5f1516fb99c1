#pragma once
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "engine/compiled_job.hpp"
#include "engine/store.hpp"
#include "jobfile/library.hpp"

namespace godwit::engine {

// The versions of jobs that runs need now, compiled. A version lives as long as a run or the library holds it; old ones
// come back from the store.
class JobCache {
 public:
  JobCache(Store& store, const jobfile::Library& library, Scripts* scripts)
      : store_(store), library_(library), scripts_(scripts) {}

  // Throws Error(refused) when the job's expressions do not compile.
  std::shared_ptr<const CompiledJob> compile(const std::shared_ptr<const model::Job>& job);
  // A job file's text; its version is the hash of it. Throws Error(refused) with all its problems.
  std::shared_ptr<const CompiledJob> parse(const std::string& text, const std::string& file);
  // A version a stored run was submitted with.
  void load(const std::string& version, Answer<std::shared_ptr<const CompiledJob>> answer);

  // The fact that stores the version, once in this life; empty when it is stored already.
  std::optional<JobStored> to_store(const CompiledJob& job) const;
  void stored(const std::string& version);

 private:
  std::shared_ptr<const CompiledJob> find(const std::string& version) const;
  void keep(const std::shared_ptr<const CompiledJob>& job);

  Store& store_;
  const jobfile::Library& library_;
  Scripts* scripts_;
  std::unordered_map<std::string, std::weak_ptr<const CompiledJob>> versions_;
  // Compiling costs more than keeping: the versions used last stay though no run holds them.
  std::vector<std::shared_ptr<const CompiledJob>> recent_;
  std::unordered_map<std::string, std::vector<Answer<std::shared_ptr<const CompiledJob>>>> loading_;
  std::unordered_set<std::string> stored_;
};

}  // namespace godwit::engine
