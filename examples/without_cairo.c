#include "without_cairo.h"

#include <stdio.h>

bool say_without_cairo(void)
{
    printf("no picture: this program was built without cairo (Debian: libcairo2-dev)\n");
    return true;
}
