#pragma once
#include <chrono>
#include <cstdlib>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "check/finding.hpp"
#include "check/plugin.hpp"
#include "jobfile/schema.hpp"
#include "wire/manifest.hpp"

namespace godwit::check {

// A method of the plugin with what is needed to call it.
struct Target {
  const wire::Unit* unit;
  std::string method;  // empty for a stage
  const wire::Method* info;

  std::string name() const { return unit->callable_name(method); }
};

// What the person said beside the plugin's file.
struct CheckOptions {
  std::string plugin;  // absolute path
  std::uint64_t seed = 0;
  base::json::object config;         // by unit id
  base::json::object inputs;         // by callable name: a list of inputs to use beside those made up
  std::vector<std::string> runs_on;  // distributions it must run on
  bool developer = false;
};

// One check at work in its process: the plugin, what chance decides, and where findings go.
class Session {
 public:
  class Sink {
   public:
    virtual ~Sink() = default;
    virtual void finding(const Finding& finding) = 0;
    virtual void skipped(const std::string& why) = 0;
    // What is about to be tried: the last one is told when the process dies.
    virtual void doing(const std::string& what) = 0;
    // Nothing more is tried in this process.
    virtual void give_up() = 0;
  };

  Session(const CheckOptions& options, Sink& sink);

  const CheckOptions& options() const { return options_; }
  // Throws base::Error when the file has none, or a wrong one.
  const wire::Manifest& manifest();
  std::vector<Target> targets();
  std::mt19937_64& random() { return random_; }

  void error(const std::string& what) { found(Severity::error, what); }
  void warning(const std::string& what) { found(Severity::warning, what); }
  void note(const std::string& what) { found(Severity::note, what); }
  void skip(const std::string& why) { sink_.skipped(why); }
  void doing(const std::string& what);
  // For when a call of the plugin does not come back.
  [[noreturn]] void give_up() {
    sink_.give_up();
    std::abort();
  }
  // Tells each complaint of the host once.
  void complaints(const std::string& where, const Ran& ran);

  // Loads the plugin and gives it the extensions that its manifest names.
  Plugin& plugin();
  std::string config_of(const wire::Unit& unit) const;
  // A unit, open; throws base::Error when it does not open.
  std::unique_ptr<Instance> open(const Target& target);

  // Inputs that fit the method's schema: the person's first, then made up ones. Empty when none can be made.
  std::optional<std::string> input(const Target& target);
  // An input with which the method succeeds, if one is found, and of several the one that asks most of the host; else
  // any that fits, with a warning once.
  std::optional<std::string> good_input(const Target& target, const Instance& instance);
  // An input that does not fit, or hardly.
  std::string bad_input(const Target& target);

  // False when the check has used up its time; it should then end and say how far it came.
  bool time_left() const { return std::chrono::steady_clock::now() < end_; }
  void limit_time(std::chrono::milliseconds time) { end_ = std::chrono::steady_clock::now() + time; }

 private:
  void found(Severity severity, const std::string& what);
  const jobfile::Schema& schema_of(const Target& target);

  const CheckOptions& options_;
  Sink& sink_;
  std::mt19937_64 random_;
  std::optional<wire::Manifest> manifest_;
  std::optional<Plugin> plugin_;
  std::map<std::string, jobfile::Schema> schemas_;
  std::map<std::string, std::string> good_;
  std::set<std::string> told_;
  std::string doing_;
  std::chrono::steady_clock::time_point end_ = std::chrono::steady_clock::time_point::max();
};

}  // namespace godwit::check
