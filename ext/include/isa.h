// Which instruction set this machine runs; $HWSIM_ISA (baseline, avx2, avx512) asks for a lower one.
#pragma once

#include <cstdlib>
#include <cstring>

#if defined(__GNUC__) && !defined(__clang__) && defined(__x86_64__)
#define HWSIM_X86_CLONES 1
#include <immintrin.h>
#else
#define HWSIM_X86_CLONES 0
#endif

#define HWSIM_INLINE static inline __attribute__((always_inline))

namespace hwsim {

enum class Isa : int { baseline = 128, avx2 = 256, avx512 = 512 };

inline Isa detect_isa() {
#if HWSIM_X86_CLONES
    __builtin_cpu_init();
    const bool has256 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2") &&
                        __builtin_cpu_supports("popcnt");
    const bool has512 = has256 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
                        __builtin_cpu_supports("avx512vpopcntdq");
    const char *asked = std::getenv("HWSIM_ISA");
    const bool only_baseline = asked && !std::strcmp(asked, "baseline");
    const bool only_avx2 = asked && !std::strcmp(asked, "avx2");
    if (has512 && !only_baseline && !only_avx2) return Isa::avx512;
    if (has256 && !only_baseline) return Isa::avx2;
#endif
    return Isa::baseline;
}

inline Isa isa() {
    static const Isa found = detect_isa();
    return found;
}

inline const char *isa_name() {
    return isa() == Isa::avx512 ? "avx512" : isa() == Isa::avx2 ? "avx2" : "baseline";
}

}  // namespace hwsim

// Calls hwsim::<instruction set>::FUNCTION.
#if HWSIM_X86_CLONES
#define HWSIM_DISPATCH(FUNCTION, ...)                             \
    (hwsim::isa() == hwsim::Isa::avx512 ? hwsim::avx512::FUNCTION(__VA_ARGS__) \
     : hwsim::isa() == hwsim::Isa::avx2 ? hwsim::avx2::FUNCTION(__VA_ARGS__)   \
                                        : hwsim::baseline::FUNCTION(__VA_ARGS__))
#else
#define HWSIM_DISPATCH(FUNCTION, ...) hwsim::baseline::FUNCTION(__VA_ARGS__)
#endif
