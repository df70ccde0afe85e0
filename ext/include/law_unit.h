// The rows of one law, compiled for each instruction set: the law is the struct HWSIM_LAW, the function that returns its rows
// HWSIM_LAW_KERNEL. Each law is a file of its own, so that they compile side by side.
#pragma once

#include "update_job.h"

#define HWSIM_BODY "law_body.h"
#include "every_isa.h"
#undef HWSIM_BODY

namespace hwsim {

LawKernel HWSIM_LAW_KERNEL() { return HWSIM_DISPATCH(HWSIM_LAW_KERNEL); }

}  // namespace hwsim
