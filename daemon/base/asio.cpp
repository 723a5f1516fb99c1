// Boost.Asio is compiled here, once, for every folder that uses it (BOOST_ASIO_SEPARATE_COMPILATION).
#include <boost/asio/impl/src.hpp>
