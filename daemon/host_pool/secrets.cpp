#include "host_pool/secrets.hpp"

#include <cstdlib>
#include <fstream>

#include "base/utf8.hpp"

namespace godwit::host_pool {
namespace {

constexpr std::size_t kSecretMax = 64 * 1024;

base::Error unusable(const std::string& name, const std::string& why) {
  return base::Error(base::ErrorKind::failed, "the secret \"" + name + "\" cannot be given to the plugin: " + why);
}

std::string from_file(const std::string& name, const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string text(kSecretMax + 1, '\0');
  if (file) file.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (!file.is_open() || file.bad()) throw unusable(name, path + " cannot be read");
  text.resize(static_cast<std::size_t>(file.gcount()));
  if (text.size() > kSecretMax) throw unusable(name, path + " is larger than 64 KiB");
  if (text.ends_with('\n')) text.pop_back();
  return text;
}

std::string from_environment(const std::string& name, const std::string& variable) {
  const char* value = std::getenv(variable.c_str());
  if (!value) throw unusable(name, "the daemon has no variable " + variable + " in its environment");
  return value;
}

}  // namespace

std::string read_secret(const std::map<std::string, config::SecretSource>& sources, const std::string& name) {
  const auto source = sources.find(name);
  if (source == sources.end())
    throw base::Error(base::ErrorKind::denied, "the plugin was given no secret \"" + name + "\"", {},
                      "grant it by secrets: in its entry of plugins: in godwit.yaml");
  std::string value = source->second.file.empty() ? from_environment(name, source->second.environment)
                                                  : from_file(name, source->second.file);
  if (!base::is_utf8(value)) throw unusable(name, "its value is not UTF-8");
  return value;
}

}  // namespace godwit::host_pool
