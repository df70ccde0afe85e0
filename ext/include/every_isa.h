// Compiles the file named HWSIM_BODY once per instruction set, in namespaces hwsim::avx512, hwsim::avx2, hwsim::baseline.
// The widths differ, the numbers do not: every operation used is exact or correctly rounded, and nothing is
// contracted; where a fused multiply-add is wanted, fused() says so.
// No include guard: the file is included once per body.
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <type_traits>
#include <vector>

#include "isa.h"
#include "philox.h"

#if HWSIM_X86_CLONES
#define HWSIM_ISA 512
#define HWSIM_NAMESPACE avx512
#pragma GCC push_options
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,avx512vpopcntdq,avx2,fma,bmi,bmi2,popcnt,prefer-vector-width=512")
#include HWSIM_BODY
#pragma GCC pop_options
#undef HWSIM_ISA
#undef HWSIM_NAMESPACE

#define HWSIM_ISA 256
#define HWSIM_NAMESPACE avx2
#pragma GCC push_options
#pragma GCC target("avx2,fma,bmi,bmi2,popcnt")
#include HWSIM_BODY
#pragma GCC pop_options
#undef HWSIM_ISA
#undef HWSIM_NAMESPACE
#endif

#define HWSIM_ISA 128
#define HWSIM_NAMESPACE baseline
#include HWSIM_BODY
#undef HWSIM_ISA
#undef HWSIM_NAMESPACE
