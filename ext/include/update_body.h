// What an update needs before its rows, for one instruction set. No include guard.
#include "lanes.h"
#include "random.h"
#include "trains.h"
