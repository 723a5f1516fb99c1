#include "engine/job_cache.hpp"

#include "base/digest.hpp"
#include "jobfile/job_parser.hpp"

namespace godwit::engine {

namespace {
constexpr std::size_t kRecentMax = 64;
constexpr std::size_t kStoredMax = 10'000;
}

std::shared_ptr<const CompiledJob> JobCache::find(const std::string& version) const {
  const auto found = versions_.find(version);
  return found == versions_.end() ? nullptr : found->second.lock();
}

void JobCache::keep(const std::shared_ptr<const CompiledJob>& job) {
  if (versions_.size() > 4 * kRecentMax)
    std::erase_if(versions_, [](const auto& entry) { return entry.second.expired(); });
  versions_[job->job().version] = job;
  if (recent_.size() == kRecentMax) recent_.erase(recent_.begin());
  recent_.push_back(job);
}

std::shared_ptr<const CompiledJob> JobCache::compile(const std::shared_ptr<const model::Job>& job) {
  if (auto known = find(job->version)) return known;
  auto compiled = std::make_shared<const CompiledJob>(job, scripts_);
  keep(compiled);
  return compiled;
}

std::shared_ptr<const CompiledJob> JobCache::parse(const std::string& text, const std::string& file) {
  // The same text from another file is read again: messages name the file that was given. A script that comes without
  // its header gets one, and its version is of both.
  if (auto known = find(base::sha256_hex(text)); known && known->job().file == file) return known;
  auto compiled = std::make_shared<const CompiledJob>(std::make_shared<const model::Job>(library_.parse(text, file)), scripts_);
  keep(compiled);
  return compiled;
}

void JobCache::load(const std::string& version, Answer<std::shared_ptr<const CompiledJob>> answer) {
  if (auto known = find(version)) return answer(std::move(known));
  auto& waiting = loading_[version];
  waiting.push_back(std::move(answer));
  if (waiting.size() > 1) return;
  store_.load_job(version, [this, version](Result<JobStored> stored) {
    auto result = [&]() -> Result<std::shared_ptr<const CompiledJob>> {
      if (!stored) return stored.error();
      try {
        this->stored(version);
        return parse(stored->text, stored->file);
      } catch (const base::Error& error) {
        return error;
      }
    }();
    const auto waiting_now = std::move(loading_[version]);
    loading_.erase(version);
    for (const auto& callback : waiting_now) callback(result);
  });
}

// Whoever submits a new text each time must not fill memory; what is forgotten is stored once more, which changes nothing.
void JobCache::stored(const std::string& version) {
  if (stored_.size() >= kStoredMax) stored_.clear();
  stored_.insert(version);
}

std::optional<JobStored> JobCache::to_store(const CompiledJob& job) const {
  const model::Job& source = job.job();
  if (stored_.contains(source.version)) return std::nullopt;
  return JobStored{source.version, source.name, source.file, source.text};
}

}  // namespace godwit::engine
