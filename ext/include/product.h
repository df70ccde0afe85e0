// Products of a few vectors with an array. BLAS packs the whole array first, which for a few vectors takes longer than the
// product; and here the order of the sums is fixed, so that the bits do not depend on the width of the vectors.
// No include guard: included once per instruction set (every_isa.h).
namespace hwsim {
namespace HWSIM_NAMESPACE {

constexpr int MOST = 5; // vectors whose sums the registers hold

// The vectors from `first` on, MOST at most, and their products.
struct SomeVectors {
    const float *in[MOST];
    float *out[MOST];
    int count;
    SomeVectors(const Matrix &m, const float *x, int64_t n, float *y, int64_t first) : count(n - first < MOST ? (int)(n - first) : MOST) {
        for (int k = 0; k < count; ++k) in[k] = x + (first + k) * m.inputs, out[k] = y + (first + k) * m.outputs;
    }
};

// y[s][o] of OUT rows w[o] along the inputs and SAMPLES vectors x[s]: lane l of 32 sums the inputs l, l + 32, ...
template <int OUT, int SAMPLES>
HWSIM_INLINE void dot_rows(const float *const *w, const float *const *x, int64_t inputs, float *const *y, int64_t output) {
    V sum[OUT * SAMPLES][UNITS];
    const int64_t whole = inputs / BLOCK * BLOCK;
    float w_rest[OUT][BLOCK] = {}, x_rest[SAMPLES][BLOCK] = {};
    const size_t rest = sizeof(float) * (size_t)(inputs - whole);
    for (int o = 0; o < OUT; ++o) std::memcpy(w_rest[o], w[o] + whole, rest);
    for (int s = 0; s < SAMPLES; ++s) std::memcpy(x_rest[s], x[s] + whole, rest);
    for (int u = 0; u < UNITS; ++u) {
        V part[OUT * SAMPLES] = {};
        for (int64_t j = u * LANES; j < whole; j += BLOCK) {
            V weight[OUT];
            for (int o = 0; o < OUT; ++o) weight[o] = load<V>(w[o] + j);
            for (int s = 0; s < SAMPLES; ++s) {
                const V in = load<V>(x[s] + j);
                for (int o = 0; o < OUT; ++o) part[o * SAMPLES + s] = part[o * SAMPLES + s] + weight[o] * in;
            }
        }
        for (int o = 0; o < OUT; ++o)
            for (int s = 0; s < SAMPLES; ++s) {
                V p = part[o * SAMPLES + s];
                if (rest) p = p + load<V>(w_rest[o] + u * LANES) * load<V>(x_rest[s] + u * LANES);
                sum[o * SAMPLES + s][u] = p;
            }
    }
    for (int o = 0; o < OUT; ++o)
        for (int s = 0; s < SAMPLES; ++s) y[s][output + o] = (float)sum_lanes(sum[o * SAMPLES + s]);
}

// OUT outputs of all vectors, a few at a time, while the rows are in the first-level cache.
template <int OUT>
HWSIM_INLINE void dot_vectors(const Matrix &m, int64_t output, const float *x, int64_t n, float *y) {
    const float *rows[OUT];
    for (int k = 0; k < OUT; ++k) rows[k] = m.w + (output + k) * m.output_step;
    for (int64_t s = 0; s < n; s += MOST) {
        const SomeVectors some(m, x, n, y, s);
        switch (some.count) {
            case 1: dot_rows<OUT, 1>(rows, some.in, m.inputs, some.out, output); break;
            case 2: dot_rows<OUT, 2>(rows, some.in, m.inputs, some.out, output); break;
            case 3: dot_rows<OUT, 3>(rows, some.in, m.inputs, some.out, output); break;
            case 4: dot_rows<OUT, 4>(rows, some.in, m.inputs, some.out, output); break;
            default: dot_rows<OUT, MOST>(rows, some.in, m.inputs, some.out, output);
        }
    }
}

static void dot_all(const Matrix &m, const float *x, int64_t n, float *y) {
    constexpr int OUT = 4;
    int64_t o = 0;
    for (; o + OUT <= m.outputs; o += OUT) dot_vectors<OUT>(m, o, x, n, y);
    for (; o < m.outputs; ++o) dot_vectors<1>(m, o, x, n, y);
}

// y[s][o] of rows w[i] along the outputs: every output sums its inputs one after the other.
template <int SAMPLES>
static void add_some(const Matrix &m, const float *const *x, float *const *y) {
    constexpr int WIDE = 4;
    const float *w = m.w;
    const int64_t stride = m.input_step, outputs = m.outputs, inputs = m.inputs;
    int64_t o = 0;
    for (; o + WIDE * LANES <= outputs; o += WIDE * LANES) {
        V sum[SAMPLES][WIDE] = {};
        for (int64_t i = 0; i < inputs; ++i) {
            V weight[WIDE];
            for (int k = 0; k < WIDE; ++k) weight[k] = load<V>(w + i * stride + o + k * LANES);
            for (int s = 0; s < SAMPLES; ++s)
                for (int k = 0; k < WIDE; ++k) sum[s][k] = sum[s][k] + weight[k] * x[s][i];
        }
        for (int s = 0; s < SAMPLES; ++s)
            for (int k = 0; k < WIDE; ++k) store(y[s] + o + k * LANES, sum[s][k]);
    }
    for (; o + LANES <= outputs; o += LANES) {
        V sum[SAMPLES] = {};
        for (int64_t i = 0; i < inputs; ++i)
            for (int s = 0; s < SAMPLES; ++s) sum[s] = sum[s] + load<V>(w + i * stride + o) * x[s][i];
        for (int s = 0; s < SAMPLES; ++s) store(y[s] + o, sum[s]);
    }
    for (; o < outputs; ++o)
        for (int s = 0; s < SAMPLES; ++s) {
            float sum = 0;
            for (int64_t i = 0; i < inputs; ++i) sum = sum + w[i * stride + o] * x[s][i];
            y[s][o] = sum;
        }
}

static void add_all(const Matrix &m, const float *x, int64_t n, float *y) {
    for (int64_t s = 0; s < n; s += MOST) {
        const SomeVectors some(m, x, n, y, s);
        switch (some.count) {
            case 1: add_some<1>(m, some.in, some.out); break;
            case 2: add_some<2>(m, some.in, some.out); break;
            case 3: add_some<3>(m, some.in, some.out); break;
            case 4: add_some<4>(m, some.in, some.out); break;
            default: add_some<MOST>(m, some.in, some.out);
        }
    }
}

// y[n][outputs] of n vectors x[n][inputs].
static void product(const Matrix &m, const float *x, int64_t n, float *y) {
    if (m.output_step == 1) return add_all(m, x, n, y);
    if (m.inputs > 1) return dot_all(m, x, n, y);
    for (int64_t s = 0; s < n; ++s)
        for (int64_t o = 0; o < m.outputs; ++o) y[s * m.outputs + o] = m.w[o * m.output_step] * x[s];
}

}  // namespace HWSIM_NAMESPACE
}  // namespace hwsim
