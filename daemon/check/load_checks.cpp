#include <dirent.h>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <memory>

#include "check/checks.hpp"
#include "check/process_facts.hpp"

namespace godwit::check {
namespace {

constexpr auto kLoadTimeMax = std::chrono::milliseconds(200);

std::uint32_t kind_of(const wire::Unit& unit) {
  return unit.kind == wire::UnitKind::provider ? GW_KIND_PROVIDER : GW_KIND_STAGE;
}

}  // namespace

void check_load(Session& session) {
  const gw_plugin& table = session.plugin().table();
  if (table.struct_size < sizeof(gw_plugin))
    session.error("gw_plugin.struct_size is " + std::to_string(table.struct_size));
  if (table.abi_major != GW_ABI_MAJOR)
    session.error("gw_plugin.abi_major is " + std::to_string(table.abi_major) + ", the manifest says 1");
  for (std::uint32_t i = 0; i < table.unit_count; ++i) {
    const gw_unit* unit = table.units[i];
    const bool whole =
        unit && unit->id && unit->struct_size >= sizeof(gw_unit) && unit->open && unit->run && unit->close;
    if (!whole) session.error("unit " + std::to_string(i) + " of the file lacks an id or a function");
  }
  for (const auto& unit : session.manifest().units) {
    const gw_unit* own = session.plugin().find(unit.id);
    if (!own) {
      session.error("the manifest names the unit \"" + unit.id + "\", which the file does not have");
    } else if (own->kind != kind_of(unit)) {
      session.error("the unit \"" + unit.id + "\" is of another kind in the file than in the manifest");
    }
  }
}

void check_quiet(Session& session) {
  session.manifest();
  const ProcessFacts before = process_facts();
  const int out = ::dup(STDOUT_FILENO), err = ::dup(STDERR_FILENO);
  int pipe_fds[2];
  if (::pipe2(pipe_fds, O_CLOEXEC | O_NONBLOCK) != 0) return session.skip("no pipe can be made");
  ::dup2(pipe_fds[1], STDOUT_FILENO);
  ::dup2(pipe_fds[1], STDERR_FILENO);
  const auto begin = std::chrono::steady_clock::now();
  session.plugin();
  const auto took = std::chrono::steady_clock::now() - begin;
  std::fflush(nullptr);
  ::dup2(out, STDOUT_FILENO);
  ::dup2(err, STDERR_FILENO);
  char text[200];
  const ssize_t printed = ::read(pipe_fds[0], text, sizeof text);
  for (const int fd : {out, err, pipe_fds[0], pipe_fds[1]}) ::close(fd);
  const ProcessFacts after = process_facts();
  if (printed > 0)
    session.error("loading it prints \"" + std::string(text, static_cast<std::size_t>(printed)) +
                  "\": constructors and godwit_plugin_v1() say nothing");
  if (after.threads > before.threads)
    session.error("loading it starts " + std::to_string(after.threads - before.threads) +
                  " threads; start them in open()");
  if (after.fds > before.fds)
    session.error("loading it opens " + std::to_string(after.fds - before.fds) + " descriptors; open them in open()");
  if (after.children > before.children)
    session.error("loading it starts " + std::to_string(after.children - before.children) +
                  " processes; start them in open(), where the operator grants \"processes\"");
  for (const auto& signal : fatal_signals(after.handled & ~before.handled))
    session.warning("loading it takes " + signal + " over: its crash would not be told as what it is");
  if (took > kLoadTimeMax)
    session.warning("loading it takes " +
                    std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(took).count()) +
                    " ms; do what takes time in open()");
}

}  // namespace godwit::check
