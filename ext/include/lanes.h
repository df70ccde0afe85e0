// Vectors of the native width. Everything above this file speaks of blocks of 32 lanes = UNITS vectors.
// No include guard: included once per instruction set (every_isa.h).
namespace hwsim {
namespace HWSIM_NAMESPACE {

constexpr int LANES = HWSIM_ISA / 32;
constexpr int BLOCK = 32;
constexpr int UNITS = BLOCK / LANES;

typedef float V __attribute__((vector_size(HWSIM_ISA / 8)));
typedef int32_t VI __attribute__((vector_size(HWSIM_ISA / 8)));
typedef uint32_t VU __attribute__((vector_size(HWSIM_ISA / 8)));
typedef uint64_t VL __attribute__((vector_size(HWSIM_ISA / 8)));

template <class T>
HWSIM_INLINE T load(const void *from) {
    T value;
    std::memcpy(&value, from, sizeof value);
    return value;
}

template <class T>
HWSIM_INLINE void store(void *to, T value) {
    std::memcpy(to, &value, sizeof value);
}

HWSIM_INLINE V splat(float x) { return V{} + x; }
HWSIM_INLINE VI splat(int32_t x) { return VI{} + x; }
HWSIM_INLINE V to_float(VI x) { return __builtin_convertvector(x, V); }
HWSIM_INLINE VI to_int(V x) { return __builtin_convertvector(x, VI); }

#if HWSIM_ISA == 512

typedef __mmask16 Mask;
HWSIM_INLINE Mask greater(VI a, VI b) { return _mm512_cmpgt_epi32_mask((__m512i)a, (__m512i)b); }
HWSIM_INLINE Mask not_greater(VI a, VI b) { return _mm512_cmple_epi32_mask((__m512i)a, (__m512i)b); }
HWSIM_INLINE Mask less(V a, V b) { return _mm512_cmp_ps_mask((__m512)a, (__m512)b, _CMP_LT_OQ); }
HWSIM_INLINE V select(Mask m, V yes, V no) { return (V)_mm512_mask_blend_ps(m, (__m512)no, (__m512)yes); }
HWSIM_INLINE VI select(Mask m, VI yes, VI no) { return (VI)_mm512_mask_blend_epi32(m, (__m512i)no, (__m512i)yes); }
HWSIM_INLINE uint32_t bits(Mask m) { return m; }
HWSIM_INLINE Mask from_bits(uint32_t b) { return (Mask)b; }
HWSIM_INLINE V minimum(V a, V b) { return (V)_mm512_min_ps((__m512)a, (__m512)b); }
HWSIM_INLINE V maximum(V a, V b) { return (V)_mm512_max_ps((__m512)a, (__m512)b); }
HWSIM_INLINE V square_root(V a) { return (V)_mm512_sqrt_ps((__m512)a); }
HWSIM_INLINE V round_even(V a) { return (V)_mm512_roundscale_ps((__m512)a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
HWSIM_INLINE VI popcount(VU a) { return (VI)_mm512_popcnt_epi32((__m512i)a); }
HWSIM_INLINE VL multiply_low(VL a, uint64_t b) { return (VL)_mm512_mul_epu32((__m512i)a, _mm512_set1_epi64((long long)b)); }
HWSIM_INLINE VL xor3(VL a, VL b, uint64_t c) {
    return (VL)_mm512_ternarylogic_epi64((__m512i)a, (__m512i)b, _mm512_set1_epi64((long long)c), 0x96);
}
HWSIM_INLINE V gather(const float *from, VI index) { return (V)_mm512_i32gather_ps((__m512i)index, from, 4); }
// Lanes of `m` take the values at `from` in order; other lanes are zero. Reads LANES values.
HWSIM_INLINE V expand(Mask m, const float *from) { return (V)_mm512_maskz_expand_ps(m, _mm512_loadu_ps(from)); }

#else

typedef VI Mask;
HWSIM_INLINE VL xor3(VL a, VL b, uint64_t c) { return a ^ b ^ c; }
HWSIM_INLINE Mask greater(VI a, VI b) { return a > b; }
HWSIM_INLINE Mask not_greater(VI a, VI b) { return ~(a > b); }
HWSIM_INLINE Mask less(V a, V b) { return a < b; }
HWSIM_INLINE V select(Mask m, V yes, V no) { return m ? yes : no; }
HWSIM_INLINE VI select(Mask m, VI yes, VI no) { return m ? yes : no; }

HWSIM_INLINE Mask from_bits(uint32_t b) {
    VI lane;
    for (int i = 0; i < LANES; ++i) lane[i] = 1 << i;
    return (splat((int32_t)b) & lane) == lane;
}

HWSIM_INLINE VI popcount(VU a) {
    a = a - ((a >> 1) & 0x55555555u);
    a = (a & 0x33333333u) + ((a >> 2) & 0x33333333u);
    a = (a + (a >> 4)) & 0x0F0F0F0Fu;
    a = a + (a >> 8);
    return (VI)((a + (a >> 16)) & 0x3Fu);
}

#if HWSIM_ISA == 256

HWSIM_INLINE uint32_t bits(Mask m) { return (uint32_t)_mm256_movemask_ps((__m256)m); }
HWSIM_INLINE V minimum(V a, V b) { return (V)_mm256_min_ps((__m256)a, (__m256)b); }
HWSIM_INLINE V maximum(V a, V b) { return (V)_mm256_max_ps((__m256)a, (__m256)b); }
HWSIM_INLINE V square_root(V a) { return (V)_mm256_sqrt_ps((__m256)a); }
HWSIM_INLINE V round_even(V a) { return (V)_mm256_round_ps((__m256)a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
HWSIM_INLINE VL multiply_low(VL a, uint64_t b) { return (VL)_mm256_mul_epu32((__m256i)a, _mm256_set1_epi64x((long long)b)); }

HWSIM_INLINE V gather(const float *from, VI index) { return (V)_mm256_i32gather_ps(from, (__m256i)index, 4); }

struct ExpandTable {
    alignas(32) int32_t lane[256][8];
    ExpandTable() {
        for (int m = 0; m < 256; ++m)
            for (int i = 0, next = 0; i < 8; ++i) {
                lane[m][i] = next;
                if (m >> i & 1) ++next;
            }
    }
};
static const ExpandTable expand_table;

HWSIM_INLINE V expand(Mask m, const float *from) {
    const __m256i order = _mm256_load_si256((const __m256i *)expand_table.lane[bits(m)]);
    return (V)_mm256_and_ps((__m256)m, _mm256_permutevar8x32_ps(_mm256_loadu_ps(from), order));
}

#else

HWSIM_INLINE uint32_t bits(Mask m) {
    uint32_t b = 0;
    for (int i = 0; i < LANES; ++i) b |= (uint32_t)(m[i] & 1) << i;
    return b;
}
HWSIM_INLINE V gather(const float *from, VI index) {
    V value;
    for (int i = 0; i < LANES; ++i) value[i] = from[index[i]];
    return value;
}
HWSIM_INLINE V minimum(V a, V b) { return a < b ? a : b; }
HWSIM_INLINE V maximum(V a, V b) { return a > b ? a : b; }
HWSIM_INLINE V square_root(V a) {
    for (int i = 0; i < LANES; ++i) a[i] = __builtin_sqrtf(a[i]);
    return a;
}
HWSIM_INLINE V round_even(V a) {
    for (int i = 0; i < LANES; ++i) a[i] = __builtin_rintf(a[i]);
    return a;
}
HWSIM_INLINE VL multiply_low(VL a, uint64_t b) {
#if defined(__SSE2__)
    return (VL)_mm_mul_epu32((__m128i)a, _mm_set1_epi64x((long long)b));
#else
    return (a & 0xFFFFFFFFu) * b;
#endif
}
HWSIM_INLINE V expand(Mask m, const float *from) {
    V value = {};
    for (int i = 0; i < LANES; ++i)
        if (m[i]) value[i] = *from++;
    return value;
}

#endif
#endif

// Sum over 32 lanes in a fixed order, whatever the vector width: halves are added until four are left.
HWSIM_INLINE double sum_lanes(const V *value) {
    float lane[BLOCK];
    for (int u = 0; u < UNITS; ++u) store(lane + u * LANES, value[u]);
    for (int half = 16; half >= 4; half /= 2)
        for (int i = 0; i < half; ++i) lane[i] += lane[i + half];
    return ((double)lane[0] + lane[1]) + ((double)lane[2] + lane[3]);
}

HWSIM_INLINE int64_t sum_lanes(const VI *value) {
    VI total = value[0];
    for (int u = 1; u < UNITS; ++u) total += value[u];
    int32_t lane[LANES], sum = 0;
    store(lane, total);
    for (int i = 0; i < LANES; ++i) sum += lane[i];
    return sum;
}

}  // namespace HWSIM_NAMESPACE
}  // namespace hwsim
