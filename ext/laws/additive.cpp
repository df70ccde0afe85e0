#define HWSIM_LAW AdditiveLaw
#define HWSIM_LAW_KERNEL additive_law
#include "law_unit.h"
