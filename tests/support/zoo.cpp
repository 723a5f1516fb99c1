#include "support/zoo.hpp"

#include <filesystem>

#include "support/file_text.hpp"

namespace godwit::support {

const std::vector<Animal>& zoo() {
  static const std::vector<Animal> kZoo {
    // ends
    {"segv", "SIGSEGV"}, {"aborts", "SIGABRT"}, {"throws", "thrown over the fence"}, {"exits", "exit code 3"},
        {"vanishes", "exit code 0"}, {"divides", "SIGFPE"}, {"breaks_pipe", "SIGPIPE"}, {"sets_alarm", "SIGALRM"},
        {"overflows", "SIGSEGV"},
#ifdef __SANITIZE_ADDRESS__
        {"passes_null", "null pointer"},  // the sanitizer sees it first
#else
        {"passes_null", "SIGSEGV"},
#endif
        // does not end
        {"hangs", "did not end within 300ms, nor when it was told to", "{}", 300},
        {"spins", "SIGXCPU", "{cpu_time: 1s}"},
        {"ignores_xcpu", "having used up the 1s of CPU time", "{cpu_time: 1s}"},
        {"swallows_segv", "did not end within 300ms, nor when it was told to", "{}", 300},
        {"exits_slowly", "did not end within 300ms, nor when it was told to", "{}", 300}, {"stops_itself", "did not answer 3 pings"},
        {"says_nothing", "had shown no sign of life for 300ms", "{stall: 300ms}"},
    // takes too much
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
        {"leaks_memory", "it is granted 256 MiB", "{memory: 256MiB}"},
        {"leaks_threads", "pthread_create: EAGAIN", "{memory: 256MiB}"},
#endif
        {"hoards_shared", "mmap: EPERM", "{memory: 256MiB}"}, {"hoards_stacks", "mmap: EPERM", "{memory: 256MiB}"},
        {"spins_everywhere", "did not end within 300ms, nor when it was told to", "{}", 300}, {"leaks_descriptors", "open: EMFILE", "{open_files: 64}"}, {"forks", "fork: EPERM"},
        {"leaves_children", "20 children", "{processes: 64}"}, {"forks_midway", "the first", "{processes: 64}"},
        {"forks_loading", "loaded", "{processes: 64}"},
        // disturbs
        {"prints", "printed"}, {"closes_3", "closed"}, {"closes_all", "closed the connection"},
        {"writes_frames", "broke the protocol"}, {"asks_at_once", "broke the protocol"},
        // Its host may miss pings, or the wish to end, or read half a frame: what ends it is chance, whose fault it is is not.
        {"steals_frames", "zoo.steals_frames", "{}", 300}, {"outlives", "done, it says"},
        {"returns_nonsense", "the plugin gave no reason"}, {"answers_twice", "output() said 8"},
        {"says_much", "output() said 6"}, {"says_no_utf8", "bad_output"}, {"says_deep", "bad_output"},
        {"says_no_json", "bad_output"}, {"emits_much", "emit() said 6"},
        {"emits_beyond", "6666"}, {"floods_progress", "a million"},
        // reaches for what is not its own
        {"reads_passwd", "/etc/passwd: EACCES"}, {"reads_environment", "environ: EACCES"},
        {"connects", "connect: EPERM"}, {"executes", "execv: EPERM"}, {"traces", "ptrace: EPERM"},
        {"kills_parent", "kill: EPERM"}, {"raises_limits", "setrlimit: EPERM"}, {"outlives_daemon", "prctl: EPERM"},
        {"unlinks", "unlink: EACCES", "{}", 0, "\"" GODWIT_BINARY_DIR "/zoo/bait\""},
        // already bad when it is loaded
        {"wrong_abi", "built for ABI 7"}, {"lies", "does not export"}, {"dies_loading", "SIGABRT"},
        {"exits_loading", "exit code 0"}, {"refuses_to_open", "not today"}, {"dies_closing", "and now close"},
  };
  return kZoo;
}

ZooFolder::ZooFolder() {
  std::filesystem::create_directory_symlink(GODWIT_BINARY_DIR "/zoo", path());
}

std::vector<std::string> ZooFolder::served() const {
  std::vector<std::string> found;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    const std::string line = file_text(entry.path() / "cmdline");
    const auto place = line.find(path() + "/");
    if (line.find("godwit-host") == std::string::npos || place == std::string::npos) continue;
    found.emplace_back(line.substr(place).c_str());  // to the end of the argument
  }
  return found;
}

}  // namespace godwit::support
