// Philox4x32-10, the counter-based generator of Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
// One block: 128 bits of counter and 64 bits of key give 128 random bits; equal input, equal output, no state.
#pragma once

#include <cstdint>

namespace hwsim {

constexpr uint32_t PHILOX_M0 = 0xD2511F53u, PHILOX_M1 = 0xCD9E8D57u;
constexpr uint32_t PHILOX_W0 = 0x9E3779B9u, PHILOX_W1 = 0xBB67AE85u;
constexpr int PHILOX_ROUNDS = 10;

inline void philox4x32(uint32_t counter[4], uint32_t key0, uint32_t key1) {
    for (int round = 0; round < PHILOX_ROUNDS; ++round) {
        const uint64_t p0 = static_cast<uint64_t>(PHILOX_M0) * counter[0];
        const uint64_t p1 = static_cast<uint64_t>(PHILOX_M1) * counter[2];
        const uint32_t c1 = counter[1], c3 = counter[3];
        counter[0] = static_cast<uint32_t>(p1 >> 32) ^ c1 ^ key0;
        counter[1] = static_cast<uint32_t>(p1);
        counter[2] = static_cast<uint32_t>(p0 >> 32) ^ c3 ^ key1;
        counter[3] = static_cast<uint32_t>(p0);
        key0 += PHILOX_W0;
        key1 += PHILOX_W1;
    }
}

}  // namespace hwsim
