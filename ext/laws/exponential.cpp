#define HWSIM_LAW ExponentialLaw
#define HWSIM_LAW_KERNEL exponential_law
#include "law_unit.h"
