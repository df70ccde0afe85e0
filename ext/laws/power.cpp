#define HWSIM_LAW DistanceLaw<false>
#define HWSIM_LAW_KERNEL power_law
#include "law_unit.h"
