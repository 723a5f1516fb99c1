#pragma once
#include <yaml-cpp/eventhandler.h>

#include <map>
#include <string>
#include <vector>

#include "config/yaml_document.hpp"

namespace godwit::config {

// Makes a tree of the parser's events and counts on the way, so that what would grow too large is refused before it
// does.
class YamlBuilder : public YAML::EventHandler {
 public:
  explicit YamlBuilder(const std::string& file) : file_(file) {}
  bool empty() const { return !started_; }
  YamlNode take() { return std::move(root_); }
  // Refuses a quote that `text`, which was parsed, never closes: the parser takes the end of the file for the end of the quote.
  void check_last_quote(std::string_view text) const;

  void OnDocumentStart(const YAML::Mark& mark) override;
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override;
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override;
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override;
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value style) override;
  void OnSequenceEnd() override { end(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value style) override;
  void OnMapEnd() override { end(); }

 private:
  // A list or map that is being read. A map with a key waits for its value.
  struct Open {
    YamlNode node;
    YAML::anchor_t anchor = 0;
    bool has_key = false;
  };
  // What a node weighs with all that is below it.
  struct Weight {
    std::size_t nodes = 0;
    std::size_t bytes = 0;
  };

  [[noreturn]] void refuse(const YamlNode& node, std::string what, std::string hint = {}) const;
  void check_tag(const YamlNode& node, const std::string& tag) const;
  void begin(YamlNode node, const std::string& tag, YAML::anchor_t anchor);
  void end();
  void add(YamlNode node, YAML::anchor_t anchor);
  void add_key(Open& map, YamlNode node);
  void check_keys(const YamlNode& map) const;
  void count(const YamlNode& node, Weight weight);
  static Weight weigh(const YamlNode& node);

  const std::string& file_;
  YamlNode root_;
  bool started_ = false;
  YamlNode last_quoted_;
  std::size_t last_quoted_at_ = std::string::npos;  // its offset in the text
  std::vector<Open> open_;
  std::map<YAML::anchor_t, YamlNode> anchors_;
  Weight total_;
};

}  // namespace godwit::config
