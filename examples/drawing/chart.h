/** Charts over cairo: everything a program needs to draw one. */
#ifndef EXAMPLES_CHART_H
#define EXAMPLES_CHART_H

#include "heat_map.h"
#include "legend.h"
#include "marks.h"
#include "panel.h"
#include "picture.h"

#endif
