// Everything an update needs, for one instruction set. No include guard.
#include "lanes.h"
#include "random.h"
#include "laws.h"
#include "trains.h"
#include "pulse.h"
