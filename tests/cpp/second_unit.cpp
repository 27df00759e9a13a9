/* Includes the header a second time in one program: everything in it must be inline. */
#include <flowmatch/flowmatch.hpp>

std::int32_t dim_seen_elsewhere(const flowmatch::source &source);

std::int32_t dim_seen_elsewhere(const flowmatch::source &source)
{
    return source.dim();
}
