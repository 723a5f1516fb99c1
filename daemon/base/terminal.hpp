#pragma once
#include <string>
#include <string_view>

namespace godwit::base {

// The text with every character that could steer a terminal written out ("\x1b", "\u009b", and the marks that turn the
// direction of writing): data must not be able to move the cursor, change colours or hide itself. `lines` keeps line
// feeds and tabs as they are.
std::string printable(std::string_view text, bool lines = false);
// Columns the text takes on a terminal: two for wide characters, none for combining ones.
std::size_t display_width(std::string_view text);
// The text cut to `width` columns, with an ellipsis in place of what was cut.
std::string fit(std::string_view text, std::size_t width);
// Columns of the terminal behind `fd`; 0 when it is none.
std::size_t terminal_width(int fd);

}  // namespace godwit::base
