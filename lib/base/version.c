#include <flowmatch/version.h>

#define TEXT_OF(number)       #number
#define VERSION_TEXT(a, b, c) TEXT_OF(a) "." TEXT_OF(b) "." TEXT_OF(c)

const char *fmatch_version_get_text(void)
{
    return VERSION_TEXT(FMATCH_VERSION_MAJOR, FMATCH_VERSION_MINOR, FMATCH_VERSION_PATCH);
}

int32_t fmatch_version_get_abi(void)
{
    return FMATCH_ABI_VERSION;
}
