// Everything a law needs on the rows of an array, for one instruction set. No include guard.
#include "lanes.h"
#include "random.h"
#include "laws.h"
#include "gates.h"
#include "pulse.h"
#include "column.h"
#include "watch.h"
#include "rows.h"
