#pragma once
#include <sys/types.h>

namespace godwit::bench {

// Read from /proc: CPU seconds of a process and all its descendants, and resident bytes of one process.
double cpu_seconds_of_tree(pid_t root);
double cpu_seconds(pid_t pid);
double resident_bytes(pid_t pid);

}  // namespace godwit::bench
