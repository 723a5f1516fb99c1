#pragma once

namespace godwit::base {

// A standard descriptor that is closed would go to the next file or socket that is opened, and what is printed into
// that. Its place is taken by one that cannot be used, so that whoever tries is told of it. For the start of a program.
void open_closed_descriptors();

// Throws Error(failed) when not all that was printed to standard output could be written. For its end.
void require_printed();

}  // namespace godwit::base
