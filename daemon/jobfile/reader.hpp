#pragma once
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "config/yaml_document.hpp"
#include "expression/language.hpp"
#include "jobfile/locator.hpp"
#include "jobfile/place_finder.hpp"
#include "model/job.hpp"

namespace godwit::jobfile {

namespace json = base::json;
using config::YamlNode;

// What an expression may read, by where it stands.
struct Sight {
  bool stages = false;
  bool run = false;
  bool item = false;
  bool output = false;
  bool outcome = false;            // how the run ended: at its end
  bool body = false;               // the stages of the stage's own items
  std::vector<std::size_t> stage;  // whose expression it is: its number, in the items of a stage after that stage's
  std::optional<model::Ending> ending;  // its list, unless it is the job's own
};

// A name that an expression of the file reads; checked when the whole file is known.
struct Use {
  expression::Reference reference;
  base::Place place;
  Sight sight;
};

// Reads values of a job file. Notes what is wrong, with its place, and goes on, so that a person sees all problems at
// once.
class Reader {
 public:
  Reader(const config::YamlDocument& document, std::string_view text)
      : document_(document), locator_(text, document.file()) {}
  virtual ~Reader() = default;

  void problem(base::Place place, std::string what, std::string hint = {});
  void problem(const YamlNode& node, const std::string& path, std::string what, std::string hint = {});
  void problems_of(const base::Error& error);
  std::vector<base::Error::Problem>& problems() { return problems_; }
  const std::vector<Use>& uses() const { return uses_; }
  base::Place place(const YamlNode& node, const std::string& path) const { return document_.place(node, path); }
  base::Place place(const YamlNode::Member& member, const std::string& path) const {
    return document_.place(member, path);
  }
  base::Place place(const std::string& path) const { return find_place(document_, path); }

  virtual std::string text(const YamlNode& node, const std::string& path);
  virtual bool flag(const YamlNode& node, const std::string& path);
  virtual int count(const YamlNode& node, const std::string& path, int least, int most);
  virtual double number(const YamlNode& node, const std::string& path, double least, double most);
  virtual std::optional<base::Duration> duration(const YamlNode& node, const std::string& path);
  // One text, or a list of them.
  std::vector<std::string> texts(const YamlNode& node, const std::string& path);
  // The place among `values` of the one that stands here; a problem, and 0, when none of them does.
  virtual std::size_t choice(const YamlNode& node, const std::string& path, std::span<const std::string_view> values);
  // Permits or rates ("4", "10/s burst 20") by name.
  virtual std::map<std::string, model::LimitSpec> limits(const YamlNode& node, const std::string& path);
  virtual std::map<std::string, int> permits(const YamlNode& node, const std::string& path);
  // How much of something is taken: a whole number from 1 on, given in `count`, or an expression that gives one.
  virtual std::optional<model::Expression> amount(const YamlNode& node, const std::string& path, const Sight& sight,
                                                  int& count);
  // A key that holds ${...}, as a template; it begins with a name and a colon.
  std::optional<model::Template> key(const YamlNode::Member& member, const std::string& path, const Sight& sight);
  virtual json::value any(const YamlNode& node, const std::string& path) {
    return document_.to_json(node, path, problems_);
  }
  // Whether the node is a map; a problem when it is not.
  bool is_map(const YamlNode& node, const std::string& path, std::string_view wanted);

  // A value that is one ${...} and nothing else.
  virtual std::optional<model::Expression> expression(const YamlNode& node, const std::string& path,
                                                      const Sight& sight);
  virtual model::Template value(const YamlNode& node, const std::string& path, const Sight& sight);

  // Whether the reader wants to know which keys there are instead of reading those that stand there.
  virtual bool describes_keys() const { return false; }
  using Read = std::function<void(const YamlNode& node)>;
  virtual void describe_key(const YamlNode&, std::string_view, const Read&) {}
  // A key that says what is done, of which a map has just one, and the keys that do not go with it.
  struct WorkKey {
    std::string_view key;
    std::initializer_list<std::string_view> excludes;
  };
  virtual void describe_work(const YamlNode&, std::span<const WorkKey>) {}

 private:
  void compile(const model::Expression& expression, const Sight& sight);
  void find_expressions(const YamlNode& node, const std::string& path, const std::string& inner, const Sight& sight,
                        model::Template& result);

  const config::YamlDocument& document_;
  Locator locator_;
  expression::Language language_;
  std::vector<base::Error::Problem> problems_;
  std::vector<Use> uses_;
};

// One key of a map and what reads it.
template <typename Target>
struct Key {
  std::string_view name;
  void (*read)(Reader& reader, const YamlNode& node, const std::string& path, Target& target);
};
// Notes that the key is unknown, with a suggestion.
void refuse_key(Reader& reader, const YamlNode::Member& member, const std::string& path,
                const std::vector<std::string>& known);

template <typename Target, std::size_t n>
void read_keys(Reader& reader, const YamlNode& map, const std::string& path, const std::array<Key<Target>, n>& keys,
               Target& target) {
  if (reader.describes_keys()) {
    for (const auto& key : keys)
      reader.describe_key(map, key.name,
                          [&](const YamlNode& node) { key.read(reader, node, base::below(path, key.name), target); });
    return;
  }
  for (const auto& member : map.members) {
    const std::string here = base::below(path, member.key);
    const auto key =
        std::find_if(keys.begin(), keys.end(), [&](const auto& candidate) { return candidate.name == member.key; });
    if (key != keys.end()) {
      key->read(reader, member.value, here, target);
      continue;
    }
    std::vector<std::string> known;
    for (const auto& candidate : keys) known.emplace_back(candidate.name);
    refuse_key(reader, member, here, known);
  }
}

}  // namespace godwit::jobfile
