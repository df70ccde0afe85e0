#define HWSIM_LAW TableLaw
#define HWSIM_LAW_KERNEL table_law
#include "law_unit.h"
