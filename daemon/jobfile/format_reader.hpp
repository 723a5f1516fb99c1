#pragma once
#include <map>

#include "jobfile/reader.hpp"

namespace godwit::jobfile {

// Finds out what the format of job files is by letting its readers read: each key is tried with a text, a list and a
// map, and what its reader wants of them is noted. So what editors are told is what is parsed, whatever the tables of
// keys become.
class FormatReader : public Reader {
 public:
  FormatReader();

  // A JSON Schema (draft 7) of the map that `read` reads keys of.
  json::object schema(const std::function<void(Reader& reader, const YamlNode& map)>& read);

  std::string text(const YamlNode& node, const std::string& path) override;
  bool flag(const YamlNode& node, const std::string& path) override;
  int count(const YamlNode& node, const std::string& path, int least, int most) override;
  double number(const YamlNode& node, const std::string& path, double least, double most) override;
  std::optional<base::Duration> duration(const YamlNode& node, const std::string& path) override;
  std::size_t choice(const YamlNode& node, const std::string& path, std::span<const std::string_view> values) override;
  std::map<std::string, model::LimitSpec> limits(const YamlNode& node, const std::string& path) override;
  std::map<std::string, int> permits(const YamlNode& node, const std::string& path) override;
  std::optional<model::Expression> amount(const YamlNode& node, const std::string& path, const Sight& sight,
                                          int& count) override;
  json::value any(const YamlNode& node, const std::string& path) override;
  std::optional<model::Expression> expression(const YamlNode& node, const std::string& path,
                                              const Sight& sight) override;
  model::Template value(const YamlNode& node, const std::string& path, const Sight& sight) override;
  bool describes_keys() const override { return true; }
  void describe_key(const YamlNode& map, std::string_view key, const Read& read) override;
  void describe_work(const YamlNode& map, std::span<const WorkKey> keys) override;

 private:
  // What was noted of a node, and whether it says more than that anything will do.
  struct Note {
    json::object schema;
    bool exact = false;
  };
  void note(const YamlNode& node, json::object schema, bool exact = true);
  void note_scalar(const YamlNode& node, json::object schema);
  // What its reader wants of the node; empty when it wants no such node.
  std::optional<json::object> found(const YamlNode& node);
  json::object tried(const Read& read);

  std::map<const YamlNode*, Note> notes_;
  std::map<const YamlNode*, json::object> keys_;  // of maps: their keys' schemas
  std::map<const YamlNode*, json::array> works_;  // of maps of which one key says what is done: one schema for each
  int depth_ = 0;
};

}  // namespace godwit::jobfile
