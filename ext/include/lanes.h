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
// 0, 1, 2, ...
HWSIM_INLINE VI lane_numbers() {
    VI lane;
    for (int i = 0; i < LANES; ++i) lane[i] = i;
    return lane;
}
HWSIM_INLINE V to_float(VI x) { return __builtin_convertvector(x, V); }
HWSIM_INLINE VI to_int(V x) { return __builtin_convertvector(x, VI); }

#if HWSIM_ISA == 512

typedef __mmask16 Mask;
HWSIM_INLINE Mask greater(VI a, VI b) { return _mm512_cmpgt_epi32_mask((__m512i)a, (__m512i)b); }
HWSIM_INLINE Mask not_greater(VI a, VI b) { return _mm512_cmple_epi32_mask((__m512i)a, (__m512i)b); }
HWSIM_INLINE Mask less(V a, V b) { return _mm512_cmp_ps_mask((__m512)a, (__m512)b, _CMP_LT_OQ); }
HWSIM_INLINE V select(Mask m, V yes, V no) { return (V)_mm512_mask_blend_ps(m, (__m512)no, (__m512)yes); }
HWSIM_INLINE VI select(Mask m, VI yes, VI no) { return (VI)_mm512_mask_blend_epi32(m, (__m512i)no, (__m512i)yes); }
// By hand, as GCC 12 may spill the widened mask with a store of 16 bits and read 32 back.
HWSIM_INLINE uint32_t bits(Mask m) {
    uint32_t b;
    __asm__("kmovw %1, %0" : "=r"(b) : "k"(m));
    return b;
}
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
HWSIM_INLINE V fused(V a, V b, V c) { return (V)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c); }
HWSIM_INLINE V gather(const float *from, VI index) { return (V)_mm512_i32gather_ps((__m512i)index, from, 4); }
// table[index % 16], from 16 values.
HWSIM_INLINE VI lookup16(const int32_t *table, VI index) {
    return (VI)_mm512_permutexvar_epi32((__m512i)index, _mm512_loadu_si512(table));
}
// Lanes of `m` take the values at `from` in order; other lanes are zero. Reads LANES values.
HWSIM_INLINE V expand(Mask m, const float *from) { return (V)_mm512_maskz_expand_ps(m, _mm512_loadu_ps(from)); }
// The values of the lanes of `m` go to `to` in order. Writes LANES values, the others of which mean nothing.
HWSIM_INLINE void compress(Mask m, VI value, int32_t *to) { _mm512_storeu_si512(to, _mm512_maskz_compress_epi32(m, (__m512i)value)); }

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

HWSIM_INLINE V fused(V a, V b, V c) { return (V)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c); }
HWSIM_INLINE V gather(const float *from, VI index) { return (V)_mm256_i32gather_ps(from, (__m256i)index, 4); }
HWSIM_INLINE VI lookup16(const int32_t *table, VI index) {
    const __m256i low = _mm256_permutevar8x32_epi32(_mm256_loadu_si256((const __m256i *)table), (__m256i)index);
    const __m256i high = _mm256_permutevar8x32_epi32(_mm256_loadu_si256((const __m256i *)(table + 8)), (__m256i)index);
    return (VI)_mm256_blendv_ps((__m256)low, (__m256)high, (__m256)(index << 28));
}

struct LaneTables {
    alignas(32) int32_t expanded[256][8];       // which value a lane takes
    alignas(32) int32_t compressed[256][8] = {}; // which lane a value comes from
    LaneTables() {
        for (int m = 0; m < 256; ++m)
            for (int i = 0, next = 0; i < 8; ++i) {
                expanded[m][i] = next;
                if (m >> i & 1) compressed[m][next++] = i;
            }
    }
};
static const LaneTables lane_tables;

HWSIM_INLINE V expand(Mask m, const float *from) {
    const __m256i order = _mm256_load_si256((const __m256i *)lane_tables.expanded[bits(m)]);
    return (V)_mm256_and_ps((__m256)m, _mm256_permutevar8x32_ps(_mm256_loadu_ps(from), order));
}
HWSIM_INLINE void compress(Mask m, VI value, int32_t *to) {
    const __m256i order = _mm256_load_si256((const __m256i *)lane_tables.compressed[bits(m)]);
    _mm256_storeu_si256((__m256i *)to, _mm256_permutevar8x32_epi32((__m256i)value, order));
}

#else

HWSIM_INLINE uint32_t bits(Mask m) {
    uint32_t b = 0;
    for (int i = 0; i < LANES; ++i) b |= (uint32_t)(m[i] & 1) << i;
    return b;
}
// a b + c rounded once, as the instruction of the other sets does: the product is exact in double precision, and a sum that is
// not is made odd, so that its rounding to single precision does not round twice (Boldo and Melquiond 2008).
static inline float fused_float(float a, float b, float c) {
#if defined(__FP_FAST_FMAF)
    return __builtin_fmaf(a, b, c);
#else
    const double product = (double)a * b, sum = product + c, part = sum - product;
    const double error = (product - (sum - part)) + (c - part);
    int64_t raw;
    std::memcpy(&raw, &sum, sizeof raw);
    if ((error > 0 || error < 0) && !(raw & 1)) raw += (error > 0) == (sum > 0) ? 1 : -1;
    double odd;
    std::memcpy(&odd, &raw, sizeof odd);
    return (float)odd;
#endif
}
HWSIM_INLINE V fused(V a, V b, V c) {
    for (int i = 0; i < LANES; ++i) a[i] = fused_float(a[i], b[i], c[i]);
    return a;
}
HWSIM_INLINE VI lookup16(const int32_t *table, VI index) {
    VI value;
    for (int i = 0; i < LANES; ++i) value[i] = table[index[i] & 15];
    return value;
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
HWSIM_INLINE void compress(Mask m, VI value, int32_t *to) {
    for (int i = 0; i < LANES; ++i) {
        *to = value[i];
        to -= m[i];
    }
}

#endif
#endif

// a + b in the lanes of `m`, elsewhere a, which is not -0.
HWSIM_INLINE V add_where(Mask m, V a, V b) {
#if HWSIM_ISA == 512
    return (V)_mm512_mask_add_ps((__m512)a, m, (__m512)a, (__m512)b);
#else
    return a + select(m, b, V{});
#endif
}

// The lanes that have a bit in common with `mask`, which has a single one.
HWSIM_INLINE Mask has_bit(VU a, uint32_t mask) {
#if HWSIM_ISA == 512
    return _mm512_test_epi32_mask((__m512i)a, _mm512_set1_epi32((int32_t)mask));
#else
    return (VI)(a & mask) == (VI)(VU{} + mask);
#endif
}

// The lower halves of the lanes of `low`, and above them those of `high`.
HWSIM_INLINE VU lower_halves(VL low, VL high) {
#if HWSIM_ISA == 512
    return (VU)_mm512_mask_shuffle_epi32((__m512i)low, 0xAAAA, (__m512i)high, _MM_PERM_CCAA);
#else
    return (VU)((low & 0xFFFFFFFFu) | (high << 32));
#endif
}

// The first n lanes go to to[index]. Several lanes never have one index.
HWSIM_INLINE void scatter(float *to, VI index, V value, int n) {
#if HWSIM_ISA == 512
    _mm512_mask_i32scatter_ps(to, (__mmask16)((1u << n) - 1), (__m512i)index, (__m512)value, 4);
#else
    for (int i = 0; i < n; ++i) to[index[i]] = value[i];
#endif
}

// Adds to to[index] in the lanes of `m`, no two of which have one index.
HWSIM_INLINE void add_at(uint32_t *to, VI index, VI value, Mask m) {
#if HWSIM_ISA == 512
    const __m512i old = _mm512_mask_i32gather_epi32(_mm512_setzero_si512(), m, (__m512i)index, to, 4);
    _mm512_mask_i32scatter_epi32(to, m, (__m512i)index, _mm512_add_epi32(old, (__m512i)value), 4);
#else
    for (uint32_t left = bits(m); left; left &= left - 1) {
        const int i = __builtin_ctz(left);
        to[index[i]] += (uint32_t)value[i];
    }
#endif
}

// Takes LANES records of eight floats apart: plane i of all of them goes to planes + i * pitch.
template <class Record>
HWSIM_INLINE void take_apart8(const Record &record, float *planes, std::ptrdiff_t pitch) {
#if HWSIM_ISA == 512
    // Records k and k + 8 share a register; its halves are transposed side by side.
    __m512 r[8], pair[8], four[8];
    for (int k = 0; k < 8; ++k)
        r[k] = _mm512_insertf32x8(_mm512_castps256_ps512(_mm256_loadu_ps(record(k))), _mm256_loadu_ps(record(k + 8)), 1);
    for (int k = 0; k < 8; k += 2) {
        pair[k] = _mm512_unpacklo_ps(r[k], r[k + 1]);
        pair[k + 1] = _mm512_unpackhi_ps(r[k], r[k + 1]);
    }
    for (int k = 0; k < 8; k += 4)
        for (int i = 0; i < 2; ++i) {
            four[k + 2 * i] = _mm512_shuffle_ps(pair[k + i], pair[k + i + 2], 0x44);
            four[k + 2 * i + 1] = _mm512_shuffle_ps(pair[k + i], pair[k + i + 2], 0xEE);
        }
    const __m512i low = _mm512_setr_epi64(0, 1, 8, 9, 4, 5, 12, 13), high = _mm512_setr_epi64(2, 3, 10, 11, 6, 7, 14, 15);
    for (int i = 0; i < 4; ++i) {
        const __m512d first = _mm512_castps_pd(four[i]), second = _mm512_castps_pd(four[i + 4]);
        _mm512_storeu_pd(planes + i * pitch, _mm512_permutex2var_pd(first, low, second));
        _mm512_storeu_pd(planes + (i + 4) * pitch, _mm512_permutex2var_pd(first, high, second));
    }
#elif HWSIM_ISA == 256
    __m256 r[8], pair[8], four[8];
    for (int k = 0; k < 8; ++k) r[k] = _mm256_loadu_ps(record(k));
    for (int k = 0; k < 8; k += 2) {
        pair[k] = _mm256_unpacklo_ps(r[k], r[k + 1]);
        pair[k + 1] = _mm256_unpackhi_ps(r[k], r[k + 1]);
    }
    for (int k = 0; k < 8; k += 4)
        for (int i = 0; i < 2; ++i) {
            four[k + 2 * i] = _mm256_shuffle_ps(pair[k + i], pair[k + i + 2], 0x44);
            four[k + 2 * i + 1] = _mm256_shuffle_ps(pair[k + i], pair[k + i + 2], 0xEE);
        }
    for (int i = 0; i < 4; ++i) {
        _mm256_storeu_ps(planes + i * pitch, _mm256_permute2f128_ps(four[i], four[i + 4], 0x20));
        _mm256_storeu_ps(planes + (i + 4) * pitch, _mm256_permute2f128_ps(four[i], four[i + 4], 0x31));
    }
#else
    for (int k = 0; k < LANES; ++k)
        for (int i = 0; i < 8; ++i) planes[i * pitch + k] = record(k)[i];
#endif
}

// Largest magnitude of n floats as raw bits; at or above 0x7F800000 there is a NaN or an infinity among them.
static inline int32_t largest_bits(const float *x, int64_t n) {
    int32_t largest = 0;
    for (int64_t i = 0; i < n; ++i) {
        int32_t raw;
        std::memcpy(&raw, x + i, sizeof raw);
        raw &= 0x7FFFFFFF;
        largest = raw > largest ? raw : largest;
    }
    return largest;
}

// Sum over 32 lanes in a fixed order, whatever the vector width: halves are added until four are left.
HWSIM_INLINE double sum_lanes(const V *value) {
    V folded[UNITS];
    for (int u = 0; u < UNITS; ++u) folded[u] = value[u];
    for (int half = UNITS / 2; half >= 1; half /= 2)
        for (int u = 0; u < half; ++u) folded[u] = folded[u] + folded[u + half];
    float lane[LANES];
#if HWSIM_ISA == 512
    const __m512 all = (__m512)folded[0];
    const __m256 eight = _mm256_add_ps(_mm512_castps512_ps256(all), _mm512_extractf32x8_ps(all, 1));
    _mm_storeu_ps(lane, _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1)));
#elif HWSIM_ISA == 256
    const __m256 eight = (__m256)folded[0];
    _mm_storeu_ps(lane, _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1)));
#else
    store(lane, folded[0]);
#endif
    return ((double)lane[0] + lane[1]) + ((double)lane[2] + lane[3]);
}

HWSIM_INLINE int64_t sum_lanes(const VI *value) {
    VI total = value[0];
    for (int u = 1; u < UNITS; ++u) total += value[u];
#if HWSIM_ISA == 512
    return _mm512_reduce_add_epi32((__m512i)total);
#else
    int32_t lane[LANES], sum = 0;
    store(lane, total);
    for (int i = 0; i < LANES; ++i) sum += lane[i];
    return sum;
#endif
}

}  // namespace HWSIM_NAMESPACE
}  // namespace hwsim
