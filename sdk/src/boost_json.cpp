// Boost.JSON, compiled into the plugin itself: a plugin then needs no particular version of Boost on the machine it
// runs on, and cannot clash with the one that godwit-host uses.
#include <boost/json/src.hpp>
