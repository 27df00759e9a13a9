/** The page's style sheet and script, as lines that end with NULL. */
#ifndef EXAMPLES_PAGE_ASSETS_H
#define EXAMPLES_PAGE_ASSETS_H

extern const char *const page_style[];
extern const char *const page_script[];

#endif
