// Random words and normals, compiled for each instruction set.
#pragma once

#define HWSIM_BODY "random_body.h"
#include "every_isa.h"
#undef HWSIM_BODY

namespace hwsim {

inline void run_words(uint64_t key, uint64_t group, uint32_t c2, uint32_t c3, int64_t groups, uint32_t *out) {
    HWSIM_DISPATCH(draw_words, key, group, c2, c3, groups, out);
}

inline void run_normals(uint64_t key, uint64_t group, uint32_t c2, uint32_t c3, int64_t groups, float *out) {
    HWSIM_DISPATCH(draw_normals, key, group, c2, c3, groups, out);
}

}  // namespace hwsim
