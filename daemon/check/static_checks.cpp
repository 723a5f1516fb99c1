#include <algorithm>
#include <array>

#include "check/checks.hpp"
#include "check/elf_file.hpp"
#include "wire/contract.hpp"
#include "wire/elf_note.hpp"

namespace godwit::check {
namespace {

struct Distribution {
  std::string_view name;
  std::string_view glibc;
  std::string_view libstdcxx;  // GLIBCXX
};
// The versions that a fresh installation has.
constexpr std::array kDistributions{
    Distribution{"rhel-8", "2.28", "3.4.25"},       Distribution{"debian-11", "2.31", "3.4.28"},
    Distribution{"ubuntu-20.04", "2.31", "3.4.28"}, Distribution{"rhel-9", "2.34", "3.4.29"},
    Distribution{"ubuntu-22.04", "2.35", "3.4.30"}, Distribution{"debian-12", "2.36", "3.4.30"},
    Distribution{"ubuntu-24.04", "2.39", "3.4.33"}, Distribution{"rhel-10", "2.39", "3.4.33"},
    Distribution{"debian-13", "2.41", "3.4.33"},
};

// What every Linux with a C++ runtime has.
constexpr std::array<std::string_view, 9> kEverywhere{
    "libc.so.6",     "libm.so.6",      "libpthread.so.0",      "libdl.so.2",           "librt.so.1",
    "libgcc_s.so.1", "libstdc++.so.6", "ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1"};

std::vector<int> numbers(std::string_view version) {
  std::vector<int> parts{0};
  for (const char c : version) {
    if (c == '.') {
      parts.push_back(0);
    } else if (c >= '0' && c <= '9') {
      parts.back() = parts.back() * 10 + (c - '0');
    }
  }
  return parts;
}

// The greatest version with this prefix that the file needs: "2.34" of GLIBC_2.34. Empty when it needs none.
std::string floor_of(const ElfFile& file, std::string_view prefix) {
  std::string greatest;
  for (const auto& version : file.versions) {
    if (!version.name.starts_with(prefix)) continue;
    const std::string number = version.name.substr(prefix.size());
    if (number.empty() || number[0] < '0' || number[0] > '9') continue;
    if (greatest.empty() || numbers(number) > numbers(greatest)) greatest = number;
  }
  return greatest;
}

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const auto& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

}  // namespace

void check_note(Session& session) {
  const auto& manifest = session.manifest();
  for (const auto& problem : wire::missing_extensions(manifest, session.options().developer, session.options().plugin))
    session.error(problem.text());
  if (manifest.description.empty())
    session.warning("the manifest has no description: people see it in `godwit plugin list`");
  for (const auto& target : session.targets()) {
    if (target.info->args.empty())
      session.warning(target.name() + " has no schema for its args: jobs cannot be checked before they run");
    if (target.info->description.empty()) session.warning(target.name() + " has no description");
    for (const auto* schema : {&target.info->args, &target.info->result}) {
      if (schema->empty()) continue;
      try {
        const jobfile::Schema compiled(*schema, target.name());
      } catch (const base::Error& error) {
        session.error(error.what());
      }
    }
  }
}

void check_exports(Session& session) {
  const ElfFile file = read_elf(session.options().plugin);
  const bool has_entry = std::find(file.exports.begin(), file.exports.end(), "godwit_plugin_v1") != file.exports.end();
  if (!has_entry) session.error("it does not export godwit_plugin_v1");
  std::vector<std::string> others;
  for (const auto& name : file.exports)
    if (name != "godwit_plugin_v1" && name != "_init" && name != "_fini") others.push_back(name);
  if (others.empty()) return;
  const std::size_t count = others.size();
  if (count > 5) others.resize(5);
  session.error("it exports " + std::to_string(count) + " more symbols (" + joined(others) +
                (count > 5 ? ", ..." : "") +
                "), which can clash with others'; build it with godwit_add_plugin(), or link with a version script");
}

void check_libraries(Session& session) {
  const ElfFile file = read_elf(session.options().plugin);
  for (const auto& name : file.undefined)
    if (name.starts_with("godwit_") || name.starts_with("gw_"))
      session.error("it needs the symbol " + name +
                    " of godwit: a plugin links nothing of godwit's, every service comes through the passed table");
  std::vector<std::string> others;
  for (const auto& library : file.needed)
    if (std::find(kEverywhere.begin(), kEverywhere.end(), library) == kEverywhere.end()) others.push_back(library);
  if (!others.empty())
    session.warning("machines that run it must have " + joined(others) + "; link statically what you can");
  const std::string glibc = floor_of(file, "GLIBC_"), libstdcxx = floor_of(file, "GLIBCXX_");
  std::vector<std::string> good;
  for (const auto& one : kDistributions) {
    const bool runs =
        numbers(glibc) <= numbers(one.glibc) && (libstdcxx.empty() || numbers(libstdcxx) <= numbers(one.libstdcxx));
    if (runs) good.emplace_back(one.name);
    const auto& wanted = session.options().runs_on;
    if (!runs && std::find(wanted.begin(), wanted.end(), one.name) != wanted.end())
      session.error("it does not run on " + std::string(one.name) + ", which has glibc " + std::string(one.glibc) +
                    " and GLIBCXX_" + std::string(one.libstdcxx) + "; build it there, or on something older");
  }
  for (const auto& wanted : session.options().runs_on)
    if (std::none_of(kDistributions.begin(), kDistributions.end(), [&](const auto& one) { return one.name == wanted; }))
      session.error("the distribution \"" + wanted + "\" is not known to this checker");
  session.note("needs glibc " + (glibc.empty() ? "of any version" : glibc) +
               (libstdcxx.empty() ? "" : " and GLIBCXX_" + libstdcxx) + ": runs on " +
               (good.empty() ? "none of the distributions known here" : joined(good)));
}

void check_hardening(Session& session) {
  const ElfFile file = read_elf(session.options().plugin);
  if (file.executable_stack)
    session.error(
        "it asks for an executable stack; link with -z noexecstack, and give assembler files a .note.GNU-stack "
        "section");
  if (!file.has_stack_header)
    session.error("it has no PT_GNU_STACK header, which asks for an executable stack; link with -z noexecstack");
  if (file.text_relocations) session.error("it has text relocations; compile everything in it with -fPIC");
  if (!file.rpath.empty())
    session.error("it has the run path \"" + file.rpath +
                  "\": whoever can write there runs code in it; link without -rpath");
}

void check_contract_shape(Session& session) {
  bool claims = false;
  for (const auto& unit : session.manifest().units) {
    claims = claims || !unit.implements.empty();
    for (const auto& problem : wire::contract_problems(unit, session.options().plugin)) session.error(problem.text());
    for (const auto& contract : unit.implements)
      if (!wire::find_contract(contract))
        session.note("the contract " + contract + " is not known to this godwit, and not checked");
  }
  if (!claims) session.skip("it claims no contract");
}

}  // namespace godwit::check
