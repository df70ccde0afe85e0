// Random numbers for one instruction set. No include guard.
#include "lanes.h"
#include "random.h"
