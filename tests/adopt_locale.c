/* Preloaded into the tests for one run: the process takes on the locale of its environment, as a
 * host program may have done, and that locale must write 0,5. */
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>

__attribute__((constructor)) static void adopt_locale(void)
{
    if (!setlocale(LC_ALL, "") || localeconv()->decimal_point[0] != ',') {
        fputs("adopt_locale: the locale of the environment has no decimal comma\n", stderr);
        _Exit(1);
    }
}
