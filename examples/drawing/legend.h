/** What the marks of a panel mean. */
#ifndef EXAMPLES_LEGEND_H
#define EXAMPLES_LEGEND_H

#include "marks.h"

enum legend_key { LEGEND_LINE, LEGEND_PATCH, LEGEND_POINT };

struct legend_entry {
    const char *label;
    enum legend_key key;
    struct stroke stroke; /**< of the line; colour and opacity of patch and point */
};

enum legend_corner { LEGEND_TOP_LEFT, LEGEND_TOP_RIGHT, LEGEND_BOTTOM_LEFT, LEGEND_BOTTOM_RIGHT };

/** Into a corner of a panel that is closed. */
void legend_draw(const struct panel *panel, enum legend_corner corner, int n,
                 const struct legend_entry *entries);

#endif
