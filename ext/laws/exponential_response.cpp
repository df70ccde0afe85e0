#define HWSIM_LAW DistanceLaw<true>
#define HWSIM_LAW_KERNEL exponential_response_law
#include "law_unit.h"
