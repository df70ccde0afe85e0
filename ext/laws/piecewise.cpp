#define HWSIM_LAW PiecewiseLaw
#define HWSIM_LAW_KERNEL piecewise_law
#include "law_unit.h"
