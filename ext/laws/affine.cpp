#define HWSIM_LAW AffineLaw
#define HWSIM_LAW_KERNEL affine_law
#include "law_unit.h"
