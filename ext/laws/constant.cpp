#define HWSIM_LAW ConstantLaw
#define HWSIM_LAW_KERNEL constant_law
#include "law_unit.h"
